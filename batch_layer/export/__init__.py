"""What comes out of a published batch: warehouse, features, rankings, files. Knows no log, and changes no view."""
