"""From a snapshot of the master to a published view. Reads nothing else."""
