"""Builds a new generation of the speed tables from the master, and switches to it (R13). Knows no worker."""
