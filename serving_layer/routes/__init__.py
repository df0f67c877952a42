"""The HTTP routes: each reads its inputs, asks for answers and encodes them; none knows a store."""
