"""Copies of stored rows on their way to the topics beside the log."""
