"""Where each partition is, what its row says, and who watches that it moves."""
