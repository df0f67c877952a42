"""Facts and the current-fact rule (R4), and the changes that a fact's replacement leaves (R9)."""

from enum import Enum
from typing import Self

import msgspec

from common.algebra.alerts import Alert
from common.algebra.payloads import Payload, Retracted


class Image(msgspec.Struct, frozen=True, gc=False):
    """A fact without its offset: what a delta keeps of before and after."""

    version: int
    payload: Payload

    @property
    def retracted(self) -> bool:
        return isinstance(self.payload, Retracted)

    @property
    def rank(self) -> tuple[int, bool]:
        """Of an entity's facts the greatest rank is current; of equal ranks the greatest offset (R4)."""
        return self.version, self.retracted


class Origin(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a record came from: the `source` of its envelope, a file's URI for an import, and the row there, from 1."""

    source: str
    row: int | None = None


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An entity's current fact as the speed layer stores it: the last change, with the offset that made it.

    `alerts` are those that the record at `offset` raised. They are kept so that a rewrite of the record writes the same
    ones: decided anew, with facts above the offset stored by then, they could differ.
    """

    offset: int
    before: Image | None
    after: Image
    alerts: tuple[Alert, ...] = ()


class Delta(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A change (R9) or, when `after` is null, the reset marker of an erasure (R24), at a log offset.

    Its value, `contribution(after) - contribution(before)`, is for whoever adds it up. `origin` stands outside the
    images, so that a repeat from another file is a repeat.
    """

    kind: str = ""
    """The entity's kind; empty for a reset, and in cells of releases that did not name it."""
    entity_id: str
    before: Image | None
    after: Image | None
    appended_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    origin: Origin | None = None

    @classmethod
    def reset(cls, appended_at: int, origin: Origin | None = None) -> Self:
        """The marker of an erasure."""
        return cls(entity_id="", before=None, after=None, appended_at=appended_at, origin=origin)

    @property
    def is_reset(self) -> bool:
        return self.after is None


class Outcome(Enum):
    """What a record does to its entity's current fact."""

    CHANGED = "changed"
    REWRITTEN = "rewritten"
    SKIPPED = "skipped"
    REPEATED = "repeated"
    STALE = "stale"


def decide(current: Fact | None, image: Image, offset: int) -> tuple[Outcome, Fact | None]:
    """What the record `image` at `offset` makes of its entity's `current` fact (R4, R10): a pure function.

    The fact returned is to be written with its delta and alerts; none is returned where nothing is to be written.
    A record below the stored offset was applied before; one at that offset writes the same again. On equal versions a
    retraction outranks what it takes back, so a repeat does not undo it.
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
    return _FACT.decode(text)


def decode_delta(text: str) -> Delta:
    return _DELTA.decode(text)
