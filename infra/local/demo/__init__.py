"""The demo: real purchases through the whole system, every answer checked at four stops, told as a story."""
