"""The algebra of customer metrics: facts, measures, states, cut, pointer and merge. Pure: no I/O, no clock."""
