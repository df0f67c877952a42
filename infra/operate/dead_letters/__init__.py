"""The operator's side of dead letters: find them, append them to the log again, give them up; knows no worker."""
