"""The demo: it sends real purchases through the whole system, and checks every answer at four stops."""
