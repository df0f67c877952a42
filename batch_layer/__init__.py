"""The nightly job on Spark: archives the log, recomputes every state, publishes a view. Knows no speed layer."""
