"""Monitoring of runs: judges a published one by those before it, and tells people. Changes no view, stops no run."""
