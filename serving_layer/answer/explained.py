"""Explains an answer: the parts that its merge adds up, each delta's share, and the formulas. Pure (R21)."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from urllib.parse import unquote, urlsplit

from common.algebra.dates import date_of, datetime_of, day_of
from common.algebra.facts import Delta, Origin
from common.algebra.measures import MEASURES, value
from common.algebra.merge import Parts, add_up, merge
from common.algebra.metrics import METRICS, present
from common.algebra.payloads import kind_of
from common.algebra.profile import present_profile
from common.algebra.state import State, Vector
from common.log.position import Position
from serving_layer.answer.readable import changes, happened, shown
from serving_layer.schemas.explanation import (
    BatchPart,
    Contribution,
    ExplainedDelta,
    Formula,
    MeasureSum,
    OriginInfo,
)
from serving_layer.schemas.provenance import BatchInfo

MOST_DELTAS: Final = 1_000
"""The most deltas that an explanation lists. All of them are in its sums."""
FORMULAS: Final = [
    Formula(metric=each.name, unit=each.unit, definition=each.definition, formula=each.rule) for each in METRICS
]


def batch_part(of: Parts, info: BatchInfo | None, as_of: date) -> BatchPart | None:
    """Returns the batch's share: its own metrics and profile, where the merge counts its row."""
    if info is None:
        return None
    if of.base is None:
        return BatchPart(info, included=False, metrics=None, profile=None)
    alone = merge(of.base, (), 0)
    return BatchPart(
        info,
        included=True,
        metrics=present(alone.state, as_of, alone.profile),
        profile=present_profile(alone.profile),
    )


def measure_sums(of: Parts, as_of: date) -> list[MeasureSum]:
    """Returns each measure's sum over the days up to `as_of`: of the batch, of the deltas, and of the merged state."""
    base = State({}) if of.base is None else of.base.state
    columns = (base, State.sum(value(delta) for _, delta in of.live), add_up(of).state)
    totals = [_total(state.until(day_of(as_of))) for state in columns]
    return [
        MeasureSum(measure.name, measure.unit, *(amount(measure.name, each[index]) for each in totals))
        for index, measure in enumerate(MEASURES)
    ]


def listed(of: Parts, partition: int) -> list[ExplainedDelta]:
    """Returns the newest MOST_DELTAS of the deltas that count, in the log's order; the erasure stands before them."""
    live = sorted(of.live, key=lambda each: each[0])[-MOST_DELTAS:]
    erased = [] if of.reset is None else [of.reset]
    return [_explained(Position(partition, offset), delta) for offset, delta in (*erased, *live)]


def origin_info(origin: Origin | None) -> OriginInfo | None:
    """Returns where a record came from; `file` is the path in a source that is a file's URI."""
    if origin is None:
        return None
    parts = urlsplit(origin.source) if origin.source.startswith("file:") else None
    return OriginInfo(origin.source, None if parts is None else unquote(parts.path), origin.row)


def amount(measure: str, number: int) -> str | int:
    """Returns an amount of the measure as people read it: money as a decimal string, others as a number."""
    text = shown(measure, number)
    return text if isinstance(text, str) else number


def _explained(position: Position, delta: Delta) -> ExplainedDelta:
    return ExplainedDelta(
        position=str(position),
        partition=position.partition,
        offset=position.offset,
        recorded_at=datetime_of(delta.appended_at),
        kind=_kind(delta),
        entity_id=delta.entity_id,
        happened="erased" if delta.after is None else happened(delta.before, delta.after),
        changes={} if delta.is_reset else changes(delta.before, delta.after),
        contribution=[] if delta.is_reset else _contribution(value(delta)),
        origin=origin_info(delta.origin),
    )


def _kind(delta: Delta) -> str:
    # Cells of older releases do not name it.
    return delta.kind if delta.kind or delta.after is None else kind_of(delta.after.payload)


def _contribution(state: State) -> list[Contribution]:
    return [
        Contribution(measure.name, date_of(day), amount(measure.name, number))
        for day, numbers in sorted(state.days.items())
        for measure, number in zip(MEASURES, numbers, strict=True)
        if number
    ]


def _total(state: State) -> Sequence[int]:
    rows: list[Vector] = list(state.days.values())
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0,) * len(MEASURES)
