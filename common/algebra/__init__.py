"""The algebra of customer metrics: facts, measures, states, deltas, cut, pointer and merge. Pure: no input, no output, no clock."""
