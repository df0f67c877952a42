"""The declared names of what the code means (R7): answers of two names are never mixed unseen.

Raise `LOGIC` when the same facts give another current fact, another contribution, another state, or a stored cell that
older code would read otherwise. Raise `VALIDATION` when a record is accepted or rejected otherwise, is rejected for
another field, or gives another event. Raise by one, in the commit that changes the meaning.

A move, a rename, a docstring, the words of a rule and a faster way to the same result change no name: every home would
be degraded until its next batch, for nothing. A new setting that validation reads enters the name by itself. The golden
corpus (`tests/golden`) refuses a change of meaning under an old name.
"""

from typing import Final

LOGIC: Final = "2"
"""Measures, states and current facts. 2: retractions, and rows that keep the profile."""
VALIDATION: Final = "2"
"""Parsing and validation. 2: profiles, retractions, `updated_at` of any kind, `sourcerow`."""


def logic_version() -> str:
    """The name of the meaning of measures, states and current facts."""
    return LOGIC


def with_version(names: str, own: str) -> str:
    """`names`, as a row keeps them, with `own` among them: the newest comes last.

    So the longer of two lists is the greater text, and wins where both rows have the same write timestamp (R12).
    """
    return names if own in versions_in(names) else f"{names},{own}"


def versions_in(names: str) -> list[str]:
    """The versions that a row names, the oldest first."""
    return names.split(",")
