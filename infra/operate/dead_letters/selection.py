"""Which letters a command is about: ids as people type them, and filters. Pure."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from common.errors import UsageError
from common.log.dead_letters import Letter, State

ID_RULE: Final = "PARTITION:OFFSET, as `lambda360 dead-letters list` shows it"
_ID: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


STATES: Final = {
    "open": tuple(state for state in State if state.is_open),
    "replayed": (State.REPLAYED,),
    "discarded": (State.DISCARDED,),
    "all": tuple(State),
}
"""The states by the names that an operator gives them."""


class LetterId(NamedTuple):
    """The place in the log of the record that was rejected first."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a letter must be like; what is not given does not matter."""

    day: date | None = None
    partition: int | None = None
    field: str | None = None
    states: Collection[State] = tuple(State)

    def admits_key(self, day: date, partition: int) -> bool:
        return self.day in (None, day) and self.partition in (None, partition)

    def admits(self, letter: Letter) -> bool:
        """Whether the letter, of an admitted key, is meant: `field` is that of its last rejection."""
        return self.field in (None, letter.last.field) and letter.state in self.states


@dataclass(frozen=True, slots=True)
class Selection:
    """The letters that are named or, if none is, those that the filter leaves."""

    ids: Sequence[LetterId]
    wanted: Filter


def parse_id(text: str, option: str = "--id") -> LetterId:
    """The id that `text` names. Raises UsageError."""
    found = _ID.fullmatch(text)
    if found is None:
        raise UsageError(option, text, ID_RULE)
    return LetterId(int(found[1]), int(found[2]))
