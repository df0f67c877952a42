"""Imports files of customers' entities: it appends a record to the log for each row; it knows no layer."""
