"""The bodies about batches, and how far both layers are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving_layer.schemas.provenance import BatchInfo, ReasonName


@dataclass(frozen=True, slots=True)
class StepSeconds:
    """How long a step of a run took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule of the quality gate said."""

    rule: str
    kind: str
    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class GateSummary:
    """What the quality gate found in the records that were new to the batch."""

    records: int
    score: Annotated[float, Field(description="0 to 100")]
    quarantined: int
    rules: list[RuleVerdict]
    changes: Annotated[list[str], Field(description="how the data's shape differs from the declared one")]


@dataclass(frozen=True, slots=True)
class DriftSummary:
    """A class of drift that the audit found, and of how many customers."""

    drift: str
    customers: int


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What the audit compared before the batch became current, and what it found."""

    compared: Annotated[int, Field(description="customers")]
    skipped: int
    facts: int
    complete: Annotated[bool, Field(description="whether the loaded rows are exactly the recomputation's")]
    findings: list[DriftSummary]
    accepted: Annotated[int, Field(description="customers whose drift an operator accepted")]
    unaudited: list[str]


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A batch run, as its manifest tells."""

    id: int
    status: Annotated[str, Field(description="running, stopped, published or abandoned")]
    current: bool
    kept: Annotated[bool, Field(description="its slot is there: it can be rolled back to, and asked by `?batch=`")]
    started_at: datetime | None
    published_at: datetime | None
    rows: Annotated[int | None, Field(description="customers in its view")]
    records: Annotated[int | None, Field(description="records that were new to it")]
    cut: Annotated[dict[int, int], Field(description="by partition: it absorbed every record below")]
    steps: list[StepSeconds]
    gate: GateSummary | None
    audit: AuditSummary | None
    quality_score: Annotated[float | None, Field(description="the gate's, 0 to 100")]


@dataclass(frozen=True, slots=True)
class BatchRuns:
    """The newest runs, the newest first."""

    items: list[BatchRun]
    next_cursor: Annotated[None, Field(description="always null: older runs are in `lambda360 batch list`")] = None


class RollbackRequest(BaseModel):
    """Asks for an earlier batch to be the current one again."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"to": 41, "reason": "bad prices"}}
    )

    to: Annotated[int | None, Field(ge=1, description="a kept batch; null: the one before the current one")] = None
    reason: Annotated[str, Field(max_length=500, description="why; it is kept in the journal")] = ""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback changed."""

    changed: Annotated[bool, Field(description="false if that batch was current already")]
    left: Annotated[int | None, Field(description="the batch that was current before")]
    current: BatchInfo


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """The batch that answers are merged from, and how long ago it was published."""

    info: BatchInfo
    age_seconds: float


@dataclass(frozen=True, slots=True)
class SpeedStanding:
    """How far the speed layer is in a partition of the log."""

    partition: int
    next_offset: int
    behind_records: int
    behind_seconds: float | None
    silent_seconds: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far each layer is behind; `reasons` degrade the answers of a partition, or of all."""

    batch: BatchStanding | None
    speed: list[SpeedStanding]
    status: Literal["exact", "degraded"]
    reasons: list[str]
    reason_names: list[ReasonName]
