"""Supervises the speed layer's workers on this machine, and reports their status."""
