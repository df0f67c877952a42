"""A dead letter: the row of a rejected record, the bytes that it keeps, and its state (R14). Pure: knows no table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Final, Self

import msgspec

from common.algebra.dates import MICROS_PER_DAY, date_of
from common.errors import RejectedRecord, shorten
from common.log.position import Position

HEADER: Final = "lambda360-dead-letter"
"""The Kafka header of a replayed record, which holds the address of its letter. Validation does not read it (R3)."""
MAX_VALUE_BYTES: Final = 2**20
MAX_KEY_BYTES: Final = 2**16
"""A row keeps values and keys of up to so many bytes whole. The log's own limit is on compressed batches."""
PREFIX_BYTES: Final = 2**12
"""How many bytes a row keeps of a longer value or key."""
MAX_RULE: Final = 1000
"""How many characters of a rule a row keeps."""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """The key of a letter's row: position and UTC day of append of the record that was rejected first.

    The position alone is the letter's id. The text of an address is `2024-07-01/2:7`.
    """

    day: date
    position: Position

    @classmethod
    def of(cls, position: Position, appended_at: int) -> Self:
        return cls(date_of(appended_at // MICROS_PER_DAY), position)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the address whose `str` is `text`. Raises ValueError for any other text."""
        day, _, position = text.partition("/")
        address = cls(date.fromisoformat(day), Position.parse(position))
        if str(address) != text:
            raise ValueError(text)  # the day is spelled another way, or a number has leading zeros
        return address

    def __str__(self) -> str:
        return f"{self.day}/{self.position}"


def address_in(headers: Sequence[tuple[str, bytes | None]]) -> Address | None:
    """Returns the address in a record's headers; None where they hold none, several, or a malformed one."""
    named = [content for name, content in headers if name == HEADER]
    if len(named) != 1 or named[0] is None:
        return None
    try:
        return Address.parse(named[0][:64].decode("ascii", "replace"))
    except ValueError:
        return None


class Rejection(msgspec.Struct, frozen=True):
    """Why validation rejected a record; `appended_at` is the record's append time in microseconds (UTC)."""

    appended_at: int
    field: str
    value: str
    rule: str

    @classmethod
    def of(cls, error: RejectedRecord, appended_at: int) -> Self:
        """Returns the rejection as a row keeps it: the value is quoted, and value and rule are shortened."""
        rule = error.rule if len(error.rule) <= MAX_RULE else f"{error.rule[:MAX_RULE]}…"
        return cls(appended_at, error.field, shorten(error.value, 200), rule)


class Discarded(msgspec.Struct, frozen=True):
    """An operator's decision to discard a letter; `at` is the operator's clock in microseconds (UTC)."""

    at: int
    reason: str


class LetterState(Enum):
    """What became of a letter; `Letter.state` says when it is which."""

    OPEN = "open"
    REJECTED_AGAIN = "rejected again"
    REPLAYED = "replayed"
    DISCARDED = "discarded"

    @property
    def is_open(self) -> bool:
        """Whether an operator has still to decide about the letter."""
        return self in (LetterState.OPEN, LetterState.REJECTED_AGAIN)


@dataclass(frozen=True, slots=True)
class Letter:
    """A row: the record that was rejected first, each rejection by the rejected record's position, what operators did.

    `key` and `value` are the bytes that the row keeps, `key_bytes` and `value_bytes` how many the record has; a key or
    a value that the record lacks is None in both. `replays` holds, by the position at which the record was appended
    again, its append time there.
    """

    address: Address
    appended_at: int
    key: bytes | None
    value: bytes | None
    key_bytes: int | None
    value_bytes: int | None
    rejections: Mapping[Position, Rejection]
    replays: Mapping[Position, int]
    discarded: Discarded | None

    @property
    def is_whole(self) -> bool:
        """Whether every byte of key and value is kept."""
        return _length(self.key) == self.key_bytes and _length(self.value) == self.value_bytes

    @property
    def attempts(self) -> int:
        """How often the record was rejected: once, and once more for each replay that was rejected again."""
        return len(self.rejections)

    @property
    def last(self) -> Rejection:
        """The rejection of the latest append time; of equal times, the one at the greatest position."""
        latest = max(self.rejections, key=lambda position: (self.rejections[position].appended_at, position))
        return self.rejections[latest]

    @property
    def state(self) -> LetterState:
        """REPLAYED if at least one replay was not rejected so far, else DISCARDED if an operator discarded the letter.

        Else REJECTED_AGAIN if a replay was rejected, and OPEN if there was none.
        """
        if set(self.replays) - set(self.rejections):
            return LetterState.REPLAYED
        if self.discarded is not None:
            return LetterState.DISCARDED
        return LetterState.OPEN if self.attempts <= 1 else LetterState.REJECTED_AGAIN


def kept(content: bytes | None, limit: int) -> bytes | None:
    """Returns what a row keeps of `content`: all of it up to `limit` bytes, and `PREFIX_BYTES` of anything longer."""
    return content if content is None or len(content) <= limit else content[:PREFIX_BYTES]


def is_kept_whole(key: bytes | None, value: bytes | None) -> bool:
    """Whether a row keeps every byte of a record with this key and value."""
    return len(key or b"") <= MAX_KEY_BYTES and len(value or b"") <= MAX_VALUE_BYTES


def letter_cells(
    position: Position, appended_at: int, key: bytes | None, value: bytes | None, error: RejectedRecord
) -> tuple[object, ...]:
    """Returns the cells of the row of a rejected record that is no replay, in the order of `speed_cql.insert_letter`.

    A None is a cell that stays unset.
    """
    said = msgspec.json.encode(Rejection.of(error, appended_at)).decode()
    record = appended_at, kept(key, MAX_KEY_BYTES), kept(value, MAX_VALUE_BYTES), _length(key), _length(value)
    return *record, str(position), said, Address.of(position, appended_at).day, *position


def _length(content: bytes | None) -> int | None:
    return None if content is None else len(content)
