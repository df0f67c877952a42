"""Applying customers' records, each one's in offset order (R10, R24): decisions and their sequence, free of engines.

The store and the cache are parameters, so that the simulation runs this code unchanged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from common.algebra.facts import Delta, Fact, Outcome, decide
from speed_layer.apply.alerts import KINDS_NEEDED, AlertSettings, New, has_rules, raised
from speed_layer.apply.known import Known
from speed_layer.apply.ports import Cache, FactStore, Wanted
from speed_layer.apply.rows import Change, EntityKey, Mutation, Placed, Reset

MAX_CHANGES: Final = 64
"""Changes in one mutation, at most, so that a busy customer's mutation stays small."""
MAX_READS: Final = 5
"""Reads of one customer, at most, until one of them is not torn (see `Known.is_torn`)."""


@dataclass(slots=True)
class Applied:
    """The result of applying one customer's records. All writes are acknowledged."""

    written: list[Change | Reset] = field(default_factory=list)
    """What was written, in offset order."""
    again: list[int] = field(default_factory=list)
    """Offsets of redelivered records below their entity's fact. Their rows are stored, and were not rewritten."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)


@dataclass(slots=True)
class _Work:
    """A customer whose records are being applied."""

    customer_id: str
    records: Sequence[Placed]
    known: Known
    token: int
    is_new: bool
    is_ahead: bool = False
    """Whether another worker has applied beyond the records."""
    applied: Applied = field(default_factory=Applied)

    def wanted(self) -> Wanted | None:
        """What is to be read before the records can be decided; None where everything is known."""
        missing = self.known.missing(record.entity for record in self.records if not record.event.is_erasure)
        kinds = {record.event.kind for record in self.records} & KINDS_NEEDED - self.known.complete
        if not (missing or kinds or self.is_new):
            return None
        return Wanted(self.customer_id, missing, kinds, whole=self.is_new)


async def apply(
    store: FactStore, cache: Cache, customers: Mapping[str, Sequence[Placed]], settings: AlertSettings
) -> dict[str, Applied]:
    """Apply some customers' records, each customer's in offset order, and return what came of each.

    No other task of this process may work on one of these customers meanwhile. At the return every write is
    acknowledged. The customers' first reads travel together, and so do their first mutations, their second ones, …: a
    customer's mutation is written only after the one before it was acknowledged.
    """
    works = [_work(cache, customer_id, records) for customer_id, records in customers.items()]
    await _read_what_is_missing(store, works)
    under_way = [(work, mutations(work.records, work.known, settings, work.applied)) for work in works]
    while written := [(*each, mutation) for each in under_way if (mutation := next(each[1], None)) is not None]:
        await store.write([(work.customer_id, mutation) for work, _, mutation in written])
        for work, _, mutation in written:
            work.applied.written.extend((mutation,) if isinstance(mutation, Reset) else mutation)
        under_way = [(work, left) for work, left, _ in written]
    for work in works:
        # Another worker is ahead: what was read may be torn, and only the next records would show it: not cached.
        if not work.is_ahead:
            cache.put(work.customer_id, work.known, work.token)
    return {work.customer_id: work.applied for work in works}


def _work(cache: Cache, customer_id: str, records: Sequence[Placed]) -> _Work:
    known, token = cache.take(customer_id)
    return _Work(customer_id, records, known or Known(), token, is_new=known is None)


async def _read_what_is_missing(store: FactStore, works: Iterable[_Work]) -> None:
    """Read what is needed to decide the customers' records, a customer again where what was read is torn."""
    asked = [(work, wanted) for work in works if (wanted := work.wanted()) is not None]
    torn = asked
    for _ in range(MAX_READS):
        if not torn:
            break
        found = await store.read([wanted for _, wanted in torn])
        for (work, _), known in zip(torn, found, strict=True):
            work.known.update(known)
        torn = [(work, wanted) for work, wanted in torn if work.known.is_torn(work.records)]
    for work, _ in asked:
        work.is_ahead = work.known.reaches_above(work.records[-1].offset)


def mutations(records: Iterable[Placed], known: Known, settings: AlertSettings, applied: Applied) -> Iterator[Mutation]:
    """Yields the mutations of `records`, in order. The caller must have one acknowledged before it asks for the next.

    Updates `known` with each mutation, and counts each record's outcome in `applied`. The caller adds what it has
    written to `applied`.
    """
    open_round: dict[EntityKey, Change] = {}
    for record in records:
        if known.erased(record.offset):
            applied.outcomes[Outcome.SKIPPED] += 1
            continue
        if record.event.is_erasure:
            if open_round:
                yield tuple(open_round.values())
                open_round = {}
            yield _reset(record, known, applied)
        elif (change := _change(record, known, settings, applied)) is not None:
            if change.entity in open_round or len(open_round) >= MAX_CHANGES:
                yield tuple(open_round.values())
                open_round = {}
            open_round[change.entity] = change
    if open_round:
        yield tuple(open_round.values())


def _change(record: Placed, known: Known, settings: AlertSettings, applied: Applied) -> Change | None:
    image = record.event.image
    if image is None:
        raise AssertionError(record)
    outcome, fact = decide(known.current(record.entity), image, record.offset)
    applied.outcomes[outcome] += 1
    if outcome is Outcome.SKIPPED:
        applied.again.append(record.offset)
    if fact is None:
        return None
    if outcome is Outcome.CHANGED and fact.before is None and has_rules(record.event.kind) and not image.retracted:
        fact = _with_alerts(record, fact, known, settings)
    known.facts[record.entity] = fact
    return Change(record.entity, fact, _delta(record, fact))


def _delta(record: Placed, fact: Fact) -> Delta:
    event = record.event
    return Delta(
        kind=event.kind,
        entity_id=event.entity_id,
        before=fact.before,
        after=fact.after,
        appended_at=record.appended_at,
        origin=event.origin,
    )


def _with_alerts(record: Placed, fact: Fact, known: Known, settings: AlertSettings) -> Fact:
    """The new entity's fact with what it raises, from the customer's facts below it."""
    kind, entity_id = record.entity
    facts: dict[str, Fact] = {}
    if kind in KINDS_NEEDED:
        facts = {each: other for each, other in known.of_kind(kind).items() if other.offset < record.offset}
        facts[entity_id] = fact
    return msgspec.structs.replace(fact, alerts=raised(kind, New(entity_id, fact, facts), settings))


def _reset(record: Placed, known: Known, applied: Applied) -> Reset:
    applied.outcomes[Outcome.REWRITTEN if known.reset_offset == record.offset else Outcome.CHANGED] += 1
    known.reset_offset = record.offset
    known.facts = {entity: fact for entity, fact in known.facts.items() if fact and not known.erased(fact.offset)}
    return Reset(record.offset, Delta.reset(record.appended_at, record.event.origin))
