"""The second opinion: an oracle, whose modules import none of the packages they judge, and the comparison with it."""
