"""Following what the speed layer publishes, in a terminal or a pipe; nothing here joins a group or commits."""
