"""The operator's tools for a running system: supervise workers, handle dead letters, watch changes."""
