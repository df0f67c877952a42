"""Merges what was read into answers with their provenance; knows no HTTP and no Cassandra."""
