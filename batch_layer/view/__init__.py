"""From a snapshot of the master to a published view. Knows no log."""
