"""One module per command or group of `lambda360`; each imports its layer inside the command, never at the top."""
