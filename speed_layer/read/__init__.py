"""Reading the log through Faust: the only package that imports it."""
