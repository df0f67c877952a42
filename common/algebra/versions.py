"""The declared versions of what the code means (R7). An answer made from two versions is degraded, and says so (R22).

Raise `LOGIC` when the same facts give another current fact, another contribution or another state, or when older code
would read a stored cell differently. Raise `VALIDATION` when the same record is no longer accepted, is no longer
rejected, is rejected for another field, or gives another event. Raise by one, in the commit that changes the meaning.

Raise neither for a move, a rename, a docstring, the words of a rule or a faster way to the same result: every home's
answers would be degraded until its next batch, for nothing. A new setting that validation reads becomes part of the
validation version by itself. The golden corpus (`tests/golden`) fails on a change of meaning under an old version.
"""

from typing import Final

LOGIC: Final = "2"
"""Of measures, states and current facts. 2 brought retractions, and view rows that hold the profile."""
VALIDATION: Final = "3"
"""Of parsing and validation. 2 brought profiles, retractions, `updated_at` of any kind, and `sourcerow`.

3 brought ids without invisible characters and without white space at their ends, zeros at the end of amounts, all media
types of JSON, and lone surrogates in fields that are not read.
"""


def logic_version() -> str:
    """Returns the version of measures, states and current facts."""
    return LOGIC


def with_version(names: str, own: str) -> str:
    """Returns the versions `names` of a row, separated by commas, with `own` appended unless it is among them.

    A list that was made longer is thus the greater text, which wins where rows have the same write timestamp (R12).
    """
    return names if own in versions_in(names) else f"{names},{own}"


def versions_in(names: str) -> list[str]:
    """Returns the versions that a row names, the oldest first."""
    return names.split(",")
