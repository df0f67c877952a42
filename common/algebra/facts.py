"""Facts, the rule that decides an entity's current one (R4, R10), and the deltas that changes leave (R9). Pure."""

from enum import Enum
from typing import Self

import msgspec

from common.algebra.alerts import Alert
from common.algebra.payloads import Payload, Retracted


class Image(msgspec.Struct, frozen=True, gc=False):
    """A fact without its offset; a delta holds the image before its change and the image after it."""

    version: int
    """The source's `updated_at`, or the entity's own date without one, in microseconds (UTC)."""
    payload: Payload

    @property
    def retracted(self) -> bool:
        return isinstance(self.payload, Retracted)

    @property
    def rank(self) -> tuple[int, bool]:
        """Of an entity's facts, the one of greatest rank is current; of equal ranks, that of greatest offset (R4)."""
        return self.version, self.retracted


class Origin(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a record came from: its envelope's `source`, in an import the file's URI, and the row in it, from 1."""

    source: str
    row: int | None = None


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An entity's current fact as the speed layer stores it: its last change, and the offset of that change's record.

    `alerts` are those that the record at `offset` raised. They are stored so that a rewrite of the record writes the
    same alerts (R10). Decided again, they could depend on facts above the offset, stored since.
    """

    offset: int
    before: Image | None
    after: Image
    alerts: tuple[Alert, ...] = ()


class Delta(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A change (R9) or, when `after` is null, the reset marker of an erasure (R24), at a log offset.

    Its value, `contribution(after) - contribution(before)`, is not stored: whoever adds deltas up computes it. `origin`
    is outside the images, so that the same image from another file is still a repeat.
    """

    kind: str = ""
    """The entity's kind; empty for a reset, and in cells of older releases, which did not store it."""
    entity_id: str
    before: Image | None
    after: Image | None
    appended_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    origin: Origin | None = None

    @classmethod
    def reset(cls, appended_at: int, origin: Origin | None = None) -> Self:
        """Returns the reset marker of an erasure."""
        return cls(entity_id="", before=None, after=None, appended_at=appended_at, origin=origin)

    @property
    def is_reset(self) -> bool:
        return self.after is None


class Outcome(Enum):
    """What a record does to its entity's current fact."""

    CHANGED = "changed"
    """It becomes the current fact."""
    REWRITTEN = "rewritten"
    """It is the record that made the current fact; the same is written again."""
    SKIPPED = "skipped"
    """Its offset is below the current fact's, so it was applied before."""
    REPEATED = "repeated"
    """Version and payload are those of the current fact."""
    STALE = "stale"
    """The current fact outranks it."""


def decide(current: Fact | None, image: Image, offset: int) -> tuple[Outcome, Fact | None]:
    """Returns what a record does to its entity's `current` fact, and the fact to write (R4, R10).

    Pure in that fact, the record's image and its offset. The fact to write is written together with its delta and its
    alerts; it is None where nothing is to be written. On equal versions a retraction outranks the fact that it takes
    back, so a repeat of that fact does not undo it.
    """
    if current is None:
        return Outcome.CHANGED, Fact(offset, None, image)
    if offset < current.offset:
        return Outcome.SKIPPED, None
    if offset == current.offset:
        return Outcome.REWRITTEN, Fact(offset, current.before, image, current.alerts)
    if image.rank < current.after.rank:
        return Outcome.STALE, None
    if image == current.after:
        return Outcome.REPEATED, None
    return Outcome.CHANGED, Fact(offset, current.after, image)


_FACT = msgspec.json.Decoder(Fact)
_DELTA = msgspec.json.Decoder(Delta)


def encode(value: Fact | Delta) -> str:
    """The one cell that holds `value`: compact JSON, the same text for equal values (R11)."""
    return msgspec.json.encode(value).decode()


def decode_fact(text: str) -> Fact:
    """Inverse of `encode` for a fact. Raises msgspec.DecodeError for a cell that this release does not know."""
    return _FACT.decode(text)


def decode_delta(text: str) -> Delta:
    """Inverse of `encode` for a delta. Raises msgspec.DecodeError for a cell that this release does not know."""
    return _DELTA.decode(text)
