"""What travels in the log and beside it: records, their validation, copies, dead letters. Knows no server's client."""
