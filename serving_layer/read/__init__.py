"""Reads the stored views: pinned pointer, slot rows, deltas, progress; computes no metric and knows no HTTP."""
