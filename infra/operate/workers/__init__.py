"""Workers of the speed layer on this machine: several under one command, and how they are."""
