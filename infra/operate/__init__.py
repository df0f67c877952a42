"""What an operator does with a running system: workers, dead letters, watching."""
