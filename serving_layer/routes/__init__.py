"""The HTTP routes: each one checks its inputs, asks for answers and encodes them; none knows Cassandra."""
