"""Which letters a command is about: ids as people type them, and filters. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from common.errors import UsageError
from common.log.dead_letters import Letter, LetterState
from common.log.position import Position

STATES: Final = {
    "open": tuple(state for state in LetterState if state.is_open),
    "replayed": (LetterState.REPLAYED,),
    "discarded": (LetterState.DISCARDED,),
    "all": tuple(LetterState),
}
"""The states by the names that an operator gives them."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a letter must be like; what is not given does not matter."""

    day: date | None = None
    partition: int | None = None
    field: str | None = None
    states: Collection[LetterState] = tuple(LetterState)

    def admits_key(self, day: date, partition: int) -> bool:
        return self.day in (None, day) and self.partition in (None, partition)

    def admits(self, letter: Letter) -> bool:
        """Whether the letter, of an admitted key, is meant: `field` is that of its last rejection."""
        return self.field in (None, letter.last.field) and letter.state in self.states


@dataclass(frozen=True, slots=True)
class Selection:
    """The letters that are named or, if none is, those that the filter leaves."""

    ids: Sequence[Position]
    """Positions of the records first rejected."""
    wanted: Filter


def parse_id(text: str, option: str = "--id") -> Position:
    """The id that `text` names. Raises UsageError."""
    try:
        return Position.parse(text)
    except ValueError as error:
        raise UsageError(option, text, f"{error}, as `lambda360 dead-letters list` shows it") from None
