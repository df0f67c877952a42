"""The clients of Kafka and Cassandra, and patience with both. Knows no layer."""
