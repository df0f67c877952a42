"""Applying records to customers, in offset order. Knows neither Faust nor a driver."""
