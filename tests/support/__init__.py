"""Builders, fakes, strategies and stages that tests share."""
