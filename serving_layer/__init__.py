"""Answers requests by merging the batch view with the deltas since its cut; computes no view and writes nothing."""
