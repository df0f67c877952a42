"""The shapes of requests and answers: what OpenAPI shows is what is encoded."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from common.algebra.metrics import METRICS, MetricValue

_JSON_TYPES: Final = {"count": "integer", "days": "integer", "years": "integer", "flag": "boolean"}
"""Units that are not strings; money, hours and rates are decimal strings."""
_METRICS_SCHEMA: Final = {
    "type": "object",
    "required": [metric.name for metric in METRICS],
    "properties": {
        metric.name: {
            "type": [_JSON_TYPES.get(metric.unit, "string"), "null"],
            "description": f"{metric.unit}: {metric.rule}",
        }
        for metric in METRICS
    },
}
Metrics = Annotated[dict[str, MetricValue], WithJsonSchema(_METRICS_SCHEMA)]


_PROFILE_SCHEMA: Final = {
    "type": ["object", "null"],
    "description": "what the customer is, by today's knowledge: `as_of` selects days, not profiles; null: unknown",
    "required": ["signed_up_date", "birth_date", "country", "segment"],
    "properties": {
        "signed_up_date": {"type": ["string", "null"], "description": "an ISO day (UTC)"},
        "birth_date": {"type": ["string", "null"], "description": "an ISO day"},
        "country": {"type": ["string", "null"], "description": "ISO 3166 alpha-2"},
        "segment": {"type": ["string", "null"]},
    },
}
Profile = Annotated[dict[str, str | None] | None, WithJsonSchema(_PROFILE_SCHEMA)]


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """The batch view that the request was pinned to."""

    id: int
    published_at: datetime
    cut: Annotated[dict[int, int], Field(description="by partition: the batch absorbed every record below it")]
    logic_version: str


@dataclass(frozen=True, slots=True)
class SpeedInfo:
    """What came from the speed layer, and how far it is behind the log in the customer's partition."""

    deltas: Annotated[int, Field(description="deltas added to the batch view's state")]
    behind_records: Annotated[int | None, Field(description="null if the speed layer never ran")]
    behind_seconds: Annotated[float | None, Field(description="since it last had applied the log's end; null if never")]


@dataclass(frozen=True, slots=True)
class LogInfo:
    """The answer is complete for the customer's records below `next_offset` of `partition`."""

    partition: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an answer comes from, and whether it can be relied on (R22)."""

    status: Literal["exact", "degraded"]
    reasons: Annotated[list[str], Field(description="why it is degraded; empty when exact")]
    batch: Annotated[BatchInfo | None, Field(description="null before the first batch")]
    speed: SpeedInfo
    log: LogInfo


@dataclass(frozen=True, slots=True)
class CustomerMetrics:
    """One customer's metrics as of a day."""

    customer_id: str
    as_of: date
    metrics: Metrics
    profile: Profile
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class EntryError:
    """What is wrong with one id of a batch-get."""

    field: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One customer of a batch-get; `metrics` is null for an unknown one."""

    customer_id: str
    status: Literal["ok", "unknown"]
    metrics: Metrics | None
    profile: Profile
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """An id of a batch-get that no customer can have."""

    customer_id: str
    status: Literal["error"]
    metrics: None
    profile: None
    provenance: None
    error: EntryError


@dataclass(frozen=True, slots=True)
class BatchGetResults:
    """The customers in the order asked."""

    as_of: date
    results: list[Entry | FailedEntry]


class BatchGet(BaseModel):
    """Ask for many customers at once; all of them are answered from one batch view."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"customer_ids": ["C1", "C2"], "as_of": "2026-11-23"}}
    )

    customer_ids: list[str]
    as_of: Annotated[str | None, Field(description="a day up to today (UTC), the default", examples=["2026-11-23"])] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Health:
    """The process is alive, or ready to answer."""

    status: Literal["alive", "ready"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error (RFC 9457); `field`, `value` and `rule` are there when an input broke a rule."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    field: str | None = None
    value: str | None = None
    rule: str | None = None
    reasons: list[str] | None = None
    customer_id: str | None = None
    provenance: Provenance | None = None
