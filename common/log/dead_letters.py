"""A dead letter: a rejected record's row, what of its bytes is kept, and the state that its row tells (R14). Pure."""

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
"""The Kafka header of a replayed record: the address of its letter. Validation does not read it (R3)."""
MAX_VALUE_BYTES: Final = 2**20
MAX_KEY_BYTES: Final = 2**16
"""Bytes that a row keeps. The log's limit is on compressed batches, so a record may be larger than that limit."""
PREFIX_BYTES: Final = 2**12
"""What a row keeps of anything larger."""
MAX_RULE: Final = 1000


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a letter's row is: the UTC day of the append time, and the position of the record first rejected.

    The position alone is the letter's id; the text is `2024-07-01/2:7`.
    """

    day: date
    position: Position

    @classmethod
    def of(cls, position: Position, appended_at: int) -> Self:
        return cls(date_of(appended_at // MICROS_PER_DAY), position)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that `text` spells as `str` does. Raises ValueError."""
        day, _, position = text.partition("/")
        address = cls(date.fromisoformat(day), Position.parse(position))
        if str(address) != text:
            raise ValueError(text)  # another spelling of the day, or leading zeros
        return address

    def __str__(self) -> str:
        return f"{self.day}/{self.position}"


def address_in(headers: Sequence[tuple[str, bytes | None]]) -> Address | None:
    """The address that a record's headers name; none where they name none, several, or a malformed one."""
    named = [content for name, content in headers if name == HEADER]
    if len(named) != 1 or named[0] is None:
        return None
    try:
        return Address.parse(named[0][:64].decode("ascii", "replace"))
    except ValueError:
        return None


class Rejection(msgspec.Struct, frozen=True):
    """What validation said of one record; `appended_at` is its append time in microseconds (UTC), no clock's."""

    appended_at: int
    field: str
    value: str
    rule: str

    @classmethod
    def of(cls, error: RejectedRecord, appended_at: int) -> Self:
        """The rejection as it is kept: the value is quoted, and shortened."""
        rule = error.rule if len(error.rule) <= MAX_RULE else f"{error.rule[:MAX_RULE]}…"
        return cls(appended_at, error.field, shorten(error.value, 200), rule)


class Discarded(msgspec.Struct, frozen=True):
    """An operator's word that a record is given up; `at` is the operator's clock in microseconds (UTC)."""

    at: int
    reason: str


class State(Enum):
    """What became of a letter: see `Letter.state`."""

    OPEN = "open"
    REJECTED_AGAIN = "rejected again"
    REPLAYED = "replayed"
    DISCARDED = "discarded"

    @property
    def is_open(self) -> bool:
        return self in (State.OPEN, State.REJECTED_AGAIN)


@dataclass(frozen=True, slots=True)
class Letter:
    """A row: the record first rejected, every rejection by its position, and what operators did.

    `key` and `value` are what is kept of `key_bytes` and `value_bytes` bytes (None: there was none). `replays` holds
    the append times by the positions at which the record was appended again.
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
        """Rejections seen: one, and one more for each replay that was rejected again."""
        return len(self.rejections)

    @property
    def last(self) -> Rejection:
        """The rejection seen last."""
        return max(self.rejections.items(), key=lambda entry: (entry[1].appended_at, entry[0]))[1]

    @property
    def state(self) -> State:
        """Replayed: at least one replay was not rejected (so far). Otherwise discarded, or open."""
        if set(self.replays) - set(self.rejections):
            return State.REPLAYED
        if self.discarded is not None:
            return State.DISCARDED
        return State.OPEN if self.attempts <= 1 else State.REJECTED_AGAIN


def kept(content: bytes | None, limit: int) -> bytes | None:
    """What a row keeps of `content`: all of it up to `limit` bytes, a prefix of anything larger."""
    return content if content is None or len(content) <= limit else content[:PREFIX_BYTES]


def is_kept_whole(key: bytes | None, value: bytes | None) -> bool:
    """Whether a row keeps every byte of a record with this key and value."""
    return len(key or b"") <= MAX_KEY_BYTES and len(value or b"") <= MAX_VALUE_BYTES


def _length(content: bytes | None) -> int | None:
    return None if content is None else len(content)
