"""What travels in the log and beside it: records, their validation, positions, copies and dead letters. Knows no client."""
