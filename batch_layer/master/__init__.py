"""The immutable master dataset: archiving and validating the log into Iceberg. Knows no view."""
