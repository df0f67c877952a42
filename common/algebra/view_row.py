"""A customer's row of a batch view: the state and the profile, in one cell (R5a, R17)."""

from dataclasses import dataclass
from typing import Self

import msgspec

from common.algebra.facts import Image
from common.algebra.state import State, Vector


class _Cell(msgspec.Struct, frozen=True):
    days: dict[int, Vector]
    """Required: a row of a release that kept the days alone is refused, not read as a customer without days."""
    profile: Image | None


@dataclass(frozen=True, slots=True)
class ViewRow:
    """What a batch absorbed of one customer. `profile` is the current fact of the profile's kind, a retracted one too.

    It keeps its version, but not its offset: a delta at or above the cut beat everything below it.
    """

    state: State
    profile: Image | None = None

    def to_json(self) -> str:
        """Compact JSON, days ascending: `{"days":{"20412":[2,1999,…]},"profile":…}`; equal rows give equal text."""
        return msgspec.json.encode(_Cell(dict(sorted(self.state.days.items())), self.profile)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`. Raises msgspec.DecodeError for the text of another release."""
        cell = _CELL.decode(text)
        return cls(State(cell.days), cell.profile)


_CELL = msgspec.json.Decoder(_Cell)
