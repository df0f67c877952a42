"""A record at its offset in the log, and the rows that it leaves (R10)."""

import msgspec

from common.algebra.alerts import Alert
from common.algebra.facts import Delta, Fact
from common.log.events import Event

EntityKey = tuple[str, str]
"""Kind and entity id."""


class Placed(msgspec.Struct, frozen=True, gc=False):
    """A valid record at its offset in its customer's partition."""

    offset: int
    appended_at: int
    event: Event

    @property
    def entity(self) -> EntityKey:
        return self.event.kind, self.event.entity_id


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one record writes: its entity's fact, the delta and the fact's alerts, all at the fact's offset."""

    entity: EntityKey
    fact: Fact
    delta: Delta

    @property
    def offset(self) -> int:
        return self.fact.offset

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return self.fact.alerts


class Reset(msgspec.Struct, frozen=True, gc=False):
    """What an erasure at `offset` writes: it deletes everything below the offset and sets the marker (R24)."""

    offset: int
    delta: Delta

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return ()


Mutation = tuple[Change, ...] | Reset
"""One atomic write of one customer's rows. It holds at most one record of an entity."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """The rows that a record left."""

    offset: int
    delta: Delta
    alerts: tuple[Alert, ...]
