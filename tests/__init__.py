"""Proof: unit tests, laws against the oracle, and every layer on real servers."""
