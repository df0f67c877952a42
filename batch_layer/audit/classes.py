"""Classifies one customer's drift, from all that is stored of the customer (R18). Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from batch_layer.audit.compare import Cell, decoded, row_of
from batch_layer.audit.history import History, Recorded, folded
from batch_layer.audit.stored import Entity, Stored, differences
from common.algebra.facts import Delta


class Drift(StrEnum):
    """The classes of drift."""

    LATE_BATCH = "late batch"
    """The speed layer applied a record that the batch's master lacks."""
    MISSING_DELTA = "missing delta"
    """A record below the new cut changed a fact, and its delta is not stored."""
    WRONG_FACT = "wrong fact"
    """A stored fact, or a delta that was decided from one, is not what the log gives."""
    LOST_SLOT_ROW = "lost slot row"
    """A slot's row is not, or no longer, what was loaded."""
    LOGIC_CHANGE = "logic change"
    """The same facts gave another state: the measures changed, and the logic version did not."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is stored of one customer whose answers drifted."""

    base: str | None
    """The current slot's cell."""
    new: str | None
    """The recomputation's."""
    deltas: Sequence[Cell]
    stored: Stored
    records: Sequence[Recorded]
    """Below the new cut, in offset order."""
    cut: int
    """The current batch's, in the customer's partition."""
    new_cut: int
    is_base_stored: bool = True
    """Whether `base` is a slot's row; False where it is computed, so that no row of it can be lost."""
    are_deltas_alive: bool = True
    """Whether the deltas from the current cut on can be relied on."""


def classified(evidence: Evidence) -> list[tuple[Drift, str]]:
    """Returns the classes of a customer's drift, each once, with what shows it; UNKNOWN alone where nothing does."""
    found: dict[Drift, str] = {}
    try:
        for drift, text in _signs(evidence):
            found.setdefault(drift, text)
    except msgspec.DecodeError as error:
        return [(Drift.UNKNOWN, f"a cell cannot be read: {error}")]
    return list(found.items()) or [(Drift.UNKNOWN, "records, deltas and facts agree, and the two answers do not")]


def _signs(evidence: Evidence) -> Iterator[tuple[Drift, str]]:
    history = folded(evidence.records)
    known = {record.offset for record in evidence.records}
    late = [each for each in _applied(evidence) if each.offset not in known]
    for each in late:
        kind, entity_id = each.entity
        what = f"{kind} {entity_id!r}" if kind else "an erasure"
        yield Drift.LATE_BATCH, f"the speed layer applied offset {each.offset} ({what}), and the master lacks it"
    follows_from_late = {each.entity for each in late}
    if evidence.are_deltas_alive:
        yield from _of_deltas(evidence, history, follows_from_late)
    yield from _of_facts(evidence, history, follows_from_late)
    if not late:
        yield from _of_rows(evidence, history)


class Applied(NamedTuple):
    """A record that the speed layer shows to have applied; the entity of an erasure is empty."""

    offset: int
    entity: Entity


def _applied(evidence: Evidence) -> Iterator[Applied]:
    """Yields what the speed layer applied below the new cut, as far as its rows still show it."""
    for offset, delta in decoded(evidence.deltas, 0, evidence.new_cut):
        yield Applied(offset, (delta.kind, delta.entity_id))
    for entity, fact in evidence.stored.facts.items():
        if fact is not None and fact.offset < evidence.new_cut:
            yield Applied(fact.offset, entity)


def _of_deltas(evidence: Evidence, history: History, late: Collection[Entity]) -> Iterator[tuple[Drift, str]]:
    stored = dict(decoded(evidence.deltas, evidence.cut, evidence.new_cut))
    for offset, delta in history.deltas.items():
        if offset >= evidence.cut and offset not in stored:
            what = "an erasure" if delta.is_reset else f"{delta.kind} {delta.entity_id!r}"
            yield Drift.MISSING_DELTA, f"no delta is stored at offset {offset} ({what})"
    for offset, delta in stored.items():
        expected = history.deltas.get(offset)
        if (expected is None or _content(expected) != _content(delta)) and (delta.kind, delta.entity_id) not in late:
            yield Drift.WRONG_FACT, f"the delta at offset {offset} was decided from another fact than the log gives"


def _of_facts(evidence: Evidence, history: History, late: Collection[Entity]) -> Iterator[tuple[Drift, str]]:
    expected = {entity: fact.after for entity, fact in history.facts.items()}
    for entity in differences(evidence.stored, expected, evidence.new_cut):
        fact = evidence.stored.facts.get(entity)
        what = f"{entity[0]} {entity[1]!r}"
        if fact is None:
            yield Drift.WRONG_FACT, f"the speed layer has no readable fact of {what}"
        elif entity not in late:
            yield Drift.WRONG_FACT, f"the fact of {what} at offset {fact.offset} is not the log's"


def _of_rows(evidence: Evidence, history: History) -> Iterator[tuple[Drift, str]]:
    below = folded([record for record in evidence.records if record.offset < evidence.cut]).row()
    base = row_of(evidence.base)
    if evidence.is_base_stored and base is None and below is not None:
        yield Drift.LOST_SLOT_ROW, "the current slot has no row of the customer"
    elif base is not None and below is not None and base != below:
        yield Drift.LOGIC_CHANGE, "the facts below the current cut give another row than the current slot's"
    new = row_of(evidence.new)
    if new is not None and history.row() not in (None, new):
        yield Drift.LOGIC_CHANGE, "the facts below the new cut give another row than the recomputation"


def _content(delta: Delta) -> tuple[object, ...]:
    # `kind` is empty in deltas of older releases; the images name theirs.
    return delta.entity_id, delta.before, delta.after
