"""The operator's side of dead letters: list, replay and discard them. It knows no worker."""
