"""Shows what the speed layer publishes, in a terminal or a pipe. It joins no consumer group and commits no offset."""
