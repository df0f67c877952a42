"""The import: files of a customer's entities become records of the log; it knows no layer."""
