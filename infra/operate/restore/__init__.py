"""A restore: the master's raw records, and what an old topic still holds, appended to a new log (R25)."""
