"""From what was read to answers with their provenance."""
