"""Applying a customer's records in offset order (R10, R24): decisions and their sequence, free of engines and clocks.

The store and the cache are parameters, so that the simulation runs this code unchanged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from common.algebra.facts import Delta, Fact, Outcome, decide
from speed_layer.apply.alerts import KINDS_NEEDED, AlertSettings, New, has_rules, raised
from speed_layer.apply.known import Known
from speed_layer.apply.ports import Cache, FactStore
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


async def apply(
    store: FactStore, cache: Cache, customer_id: str, records: Sequence[Placed], settings: AlertSettings
) -> Applied:
    """Apply one customer's records, in offset order. No other task of this process may work on the customer meanwhile.

    At the return every write is acknowledged. A mutation is written only after the one before it was acknowledged.
    """
    cached, token = cache.take(customer_id)
    known = cached or Known()
    applied = Applied()
    is_ahead = await _read_what_is_missing(store, customer_id, records, known, is_new=cached is None)
    for mutation in mutations(records, known, settings, applied):
        await store.write(customer_id, mutation)
        applied.written.extend((mutation,) if isinstance(mutation, Reset) else mutation)
    # Another worker is ahead: what was read may be torn, and only the next records would show it. So it is not cached.
    if not is_ahead:
        cache.put(customer_id, known, token)
    return applied


async def _read_what_is_missing(
    store: FactStore, customer_id: str, records: Sequence[Placed], known: Known, *, is_new: bool
) -> bool:
    """Read what `known` lacks to decide `records`. Returns whether another worker has applied beyond them."""
    missing = known.missing(record.entity for record in records if not record.event.is_erasure)
    kinds = {record.event.kind for record in records} & KINDS_NEEDED - known.complete
    if not (missing or kinds or is_new):
        return False
    for _ in range(MAX_READS):
        known.update(await store.read(customer_id, missing, kinds, whole=is_new))
        if not known.is_torn(records):
            break
    return known.reaches_above(records[-1].offset)


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
