"""`make test-upgrade`: from the release before to this one, in place, and back."""
