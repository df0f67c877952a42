"""The outermost ring: the `lambda360` command, the local servers, set-up and import; nobody imports it."""
