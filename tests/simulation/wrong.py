"""What a seed fails with."""


class Wrong(Exception):
    """Something that must hold does not."""
