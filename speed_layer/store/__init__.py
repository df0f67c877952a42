"""Facts, deltas, alerts and dead letters in Cassandra."""
