"""The speed layer: each record of the log becomes a fact and a delta at once; it knows no other layer."""
