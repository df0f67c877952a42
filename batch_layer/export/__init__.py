"""What comes out of a published batch: warehouse, rankings, files. Knows no log, and changes no view."""
