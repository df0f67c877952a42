"""Reading the stored views: pinned pointer, slot rows, deltas, progress."""
