"""`make bench-serving`: merged answers beside their two bare reads and beside FastAPI alone."""
