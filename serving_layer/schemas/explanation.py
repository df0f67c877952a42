"""The body of an explanation: what an answer is added up from, and by which formulas (R9, R21)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from serving_layer.schemas.metrics import Metrics, Profile
from serving_layer.schemas.provenance import BatchInfo, Provenance

Amount = Annotated[str | int, Field(description="money is a decimal string; counts and seconds are numbers")]
Shown = str | int | bool | None
"""A payload's field as people read it: amounts as decimal strings, dates in ISO 8601 (UTC)."""
Happened = Literal["new", "changed", "taken back", "brought back", "erased"]


@dataclass(frozen=True, slots=True)
class OriginInfo:
    """Where a record came from: its envelope's `source`, in an import the file's URI, and the row in the file."""

    source: str
    file: Annotated[str | None, Field(description="the path of an imported file; null for another source")]
    row: Annotated[int | None, Field(description="the row in the file, from 1; null where there is none")]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a delta adds to one measure of one day; negative where it takes away."""

    measure: str
    day: date
    amount: Amount


@dataclass(frozen=True, slots=True)
class ExplainedDelta:
    """One change since the batch's cut, which the answer adds up; or the erasure, from which it starts at zero."""

    position: Annotated[str, Field(description="PARTITION:OFFSET of its record in the log")]
    partition: int
    offset: int
    recorded_at: Annotated[datetime, Field(description="when the record was appended to the log")]
    kind: Annotated[str, Field(description="the entity's kind; empty for an erasure")]
    entity_id: str
    happened: Happened
    changes: Annotated[dict[str, tuple[Shown, Shown]], Field(description="by field: before and after")]
    contribution: Annotated[list[Contribution], Field(description="what it adds, days after `as_of` included")]
    origin: Annotated[OriginInfo | None, Field(description="null where an older release stored none")]


@dataclass(frozen=True, slots=True)
class BatchPart:
    """The batch's share of the answer."""

    info: BatchInfo
    included: Annotated[bool, Field(description="false if the batch knows no such customer, or was erased since")]
    metrics: Annotated[Metrics | None, Field(description="by the batch alone; null if it is not included")]
    profile: Profile


@dataclass(frozen=True, slots=True)
class MeasureSum:
    """One measure, summed over the days up to `as_of`: `batch` + `deltas` = `sum`."""

    measure: str
    unit: Annotated[str, Field(description="count, money or seconds")]
    batch: Amount
    deltas: Amount
    sum: Amount


@dataclass(frozen=True, slots=True)
class Formula:
    """How a metric is computed from the measures."""

    metric: str
    unit: str
    definition: str
    formula: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the metrics are what they are. `metrics` are those that `/metrics` answers from the same pin."""

    customer_id: str
    as_of: date
    batch: Annotated[BatchPart | None, Field(description="null before the first batch")]
    deltas: Annotated[list[ExplainedDelta], Field(description="in the order of the log; the newest, if there are many")]
    deltas_left_out: Annotated[int, Field(description="older deltas that are in the sums, and not in the list")]
    measures: Annotated[
        list[MeasureSum], Field(description="empty if a stored cell is another release's: `provenance` says it")
    ]
    metrics: Metrics
    profile: Profile
    formulas: list[Formula]
    provenance: Provenance
