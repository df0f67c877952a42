"""Applying a customer's records in offset order (R10, R24): decisions and their sequence, free of engines and clocks.

The store and the cache come in through the door, so a simulation can run this very code.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from common.events import Event
from common.facts import Delta, Fact, decide

MAX_CHANGES: Final = 64
"""Changes in one mutation, at most: a busy customer's mutation stays small."""

EntityKey = tuple[str, str]
"""Kind and entity id."""


class Placed(msgspec.Struct, frozen=True):
    """A valid record at its place in the log."""

    offset: int
    appended_at: int
    event: Event

    @property
    def entity(self) -> EntityKey:
        return self.event.kind, self.event.entity_id


class Change(msgspec.Struct, frozen=True):
    """What one record writes: its entity's fact and the delta, both at the fact's offset."""

    entity: EntityKey
    fact: Fact
    delta: Delta


class Reset(msgspec.Struct, frozen=True):
    """What an erasure at `offset` writes: the marker, after everything below it is deleted (R24)."""

    offset: int
    delta: Delta


Mutation = tuple[Change, ...] | Reset
"""One write of rows of one customer. It holds at most one record of an entity."""


@dataclass(slots=True)
class Known:
    """What is stored of one customer, as far as it was looked at: an entity that maps to None has no fact.

    `complete` tells that entities that are not named have none either.
    """

    reset_offset: int | None = None
    facts: dict[EntityKey, Fact | None] = field(default_factory=dict)
    complete: bool = False

    def missing(self, entities: Iterable[EntityKey]) -> set[EntityKey]:
        """Those of `entities` that nothing is known of."""
        return set() if self.complete else {entity for entity in entities if entity not in self.facts}

    def current(self, entity: EntityKey) -> Fact | None:
        """The entity's current fact since the last reset."""
        fact = self.facts.get(entity)
        return None if fact is None or self.erased(fact.offset) else fact

    def erased(self, offset: int) -> bool:
        return self.reset_offset is not None and offset < self.reset_offset

    def update(self, found: "Known") -> None:
        """Take up what was just read."""
        self.reset_offset = found.reset_offset
        self.facts.update(found.facts)
        self.complete = self.complete or found.complete


class Store(Protocol):
    """Where facts and deltas are kept. Both calls return when the store has answered, however long that takes."""

    async def read(self, customer_id: str, entities: Collection[EntityKey], *, whole: bool) -> Known:
        """The customer's reset offset and the facts of `entities`; or, if `whole` and they are few, all facts."""
        ...

    async def write(self, customer_id: str, mutation: Mutation) -> None:
        """Write the mutation at its offsets' timestamps (R11), acknowledged at the write consistency."""
        ...


class Cache(Protocol):
    """What was known of customers; each entry is taken out while it is worked on, and lost if that fails."""

    def take(self, customer_id: str) -> tuple[Known | None, int]: ...

    def put(self, customer_id: str, known: Known, token: int) -> None: ...


async def apply(store: Store, cache: Cache, customer_id: str, records: Sequence[Placed]) -> None:
    """Apply one customer's records, in offset order; nobody else in this process works on the customer meanwhile.

    At the return each is acknowledged. A mutation is written only when the one before it was acknowledged.
    """
    cached, token = cache.take(customer_id)
    known = cached or Known()
    missing = known.missing(record.entity for record in records if not record.event.is_erasure)
    if missing or cached is None:
        known.update(await store.read(customer_id, missing, whole=cached is None))
    for mutation in mutations(records, known):
        await store.write(customer_id, mutation)
    cache.put(customer_id, known, token)


def mutations(records: Iterable[Placed], known: Known) -> Iterator[Mutation]:
    """What `records` write, in order; `known` goes along, as if each were acknowledged before the next is asked for."""
    open_round: dict[EntityKey, Change] = {}
    for record in records:
        if known.erased(record.offset):
            continue
        if record.event.is_erasure:
            if open_round:
                yield tuple(open_round.values())
                open_round = {}
            yield _reset(record, known)
        elif (change := _change(record, known)) is not None:
            if change.entity in open_round or len(open_round) >= MAX_CHANGES:
                yield tuple(open_round.values())
                open_round = {}
            open_round[change.entity] = change
    if open_round:
        yield tuple(open_round.values())


def _change(record: Placed, known: Known) -> Change | None:
    image = record.event.image
    if image is None:
        raise AssertionError(record)
    _, fact = decide(known.current(record.entity), image, record.offset)
    if fact is None:
        return None
    known.facts[record.entity] = fact
    return Change(record.entity, fact, Delta(record.event.entity_id, fact.before, fact.after, record.appended_at))


def _reset(record: Placed, known: Known) -> Reset:
    known.reset_offset = record.offset
    known.facts = {entity: fact for entity, fact in known.facts.items() if fact and not known.erased(fact.offset)}
    return Reset(record.offset, Delta("", None, None, record.appended_at))
