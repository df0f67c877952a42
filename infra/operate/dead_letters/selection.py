"""Selects the letters of a command, by typed ids or by filters. Pure."""

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
"""The letter states that each value of `--state` includes."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on a letter. A condition that is None admits every letter."""

    day: date | None = None
    partition: int | None = None
    field: str | None = None
    states: Collection[LetterState] = tuple(LetterState)

    def admits_key(self, day: date, partition: int) -> bool:
        """Returns whether the filter admits letters of this day and partition."""
        return self.day in (None, day) and self.partition in (None, partition)

    def admits(self, letter: Letter) -> bool:
        """Returns whether the field of the last rejection and the state are admitted. Call `admits_key` first."""
        return self.field in (None, letter.last.field) and letter.state in self.states


@dataclass(frozen=True, slots=True)
class Selection:
    """The letters in `ids` or, if `ids` is empty, those that `wanted` admits."""

    ids: Sequence[Position]
    """Positions of the records first rejected."""
    wanted: Filter


def parse_id(text: str, option: str = "--id") -> Position:
    """Returns the position that `text` names. Raises UsageError if it is not `partition:offset`."""
    try:
        return Position.parse(text)
    except ValueError as error:
        raise UsageError(option, text, f"{error}, as `lambda360 dead-letters list` shows it") from None
