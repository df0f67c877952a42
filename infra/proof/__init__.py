"""The second opinion: an oracle that imports none of the packages it judges, and the comparison with it."""
