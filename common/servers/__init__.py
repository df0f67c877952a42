"""The clients of Kafka and Cassandra, and the retries of requests to them. Knows no layer."""
