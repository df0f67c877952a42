"""Compares a loaded slot with the answers that are served (R18), before it is switched to. Changes no view."""
