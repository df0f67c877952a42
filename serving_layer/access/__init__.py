"""Decides who may ask, and how much of a process one client may take; knows no customer and no store."""
