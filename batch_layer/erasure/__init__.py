"""Erasing from what Spark writes: the master and its history, the quarantine, and the slots (R24). Knows no log."""
