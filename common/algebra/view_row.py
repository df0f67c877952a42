"""A customer's row of a batch view: the state and the profile, in one cell (R5a, R17). Knows no store."""

from types import GenericAlias
from typing import Any, Self

import msgspec

from common.algebra.facts import Image
from common.algebra.measures import MEASURES
from common.algebra.state import State, Vector


class _Cell(msgspec.Struct, frozen=True):
    days: dict[int, Vector]
    """Has no default, so that an older release's cell, which is the days alone, is refused and not read as no days."""
    profile: Image | None


class ViewRow(msgspec.Struct, frozen=True):
    """What a batch absorbed of one customer; `profile` is the current fact of that kind, also a retracted one.

    The profile's version is stored and its offset is not: a profile's delta at or above the cut always replaces it.
    """

    state: State
    profile: Image | None = None

    def to_json(self) -> str:
        """Returns compact JSON, days ascending: `{"days":{"20412":[2,1999,…]},"profile":…}`; equal rows, equal text."""
        return msgspec.json.encode(_Cell(dict(sorted(self.state.days.items())), self.profile)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`. Raises msgspec.DecodeError for the text of another release, or of other measures."""
        try:
            cell: _Cell = _CELL.decode(text)
        except msgspec.DecodeError:
            raise msgspec.DecodeError(f"a row of {width_of(text)} measures, this release has {len(MEASURES)}") from None
        return cls(State(cell.days), cell.profile)


def width_of(text: str) -> int:
    """Returns how many measures a row's text has, at most on one of its days. Raises msgspec.DecodeError for no row."""
    return max((len(values) for values in _OTHER_CELL.decode(text).days.values()), default=0)


_OTHER_CELL = msgspec.json.Decoder(_Cell)
# A vector of known width is decoded a quarter faster than any vector, and its width is checked on the way.
_VECTOR: Any = GenericAlias(tuple, (int,) * len(MEASURES))
_CELL: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    msgspec.defstruct("_Cell", [("days", dict[int, _VECTOR]), ("profile", Image | None)], frozen=True)
)
