"""What operators see of a worker: its seat, its vitals, its metrics."""
