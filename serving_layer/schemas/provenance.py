"""The provenance in an answer (R22)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """The batch view that the request was pinned to."""

    id: int
    published_at: datetime
    cut: Annotated[dict[int, int], Field(description="by partition: the batch absorbed every record below it")]
    logic_version: str


@dataclass(frozen=True, slots=True)
class SpeedInfo:
    """What the speed layer added, and how far it is behind the log in the customer's partition."""

    deltas: Annotated[int, Field(description="deltas added to the batch view's state")]
    behind_records: Annotated[int | None, Field(description="null if the speed layer never ran")]
    behind_seconds: Annotated[
        float | None, Field(description="seconds since it last had applied the log to its end; null if it never had")
    ]


@dataclass(frozen=True, slots=True)
class LogInfo:
    """The answer is complete for the customer's records below `next_offset` of `partition`."""

    partition: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an answer comes from, and whether it is exact or degraded."""

    status: Literal["exact", "degraded"]
    reasons: Annotated[list[str], Field(description="why it is degraded; empty when exact")]
    batch: Annotated[BatchInfo | None, Field(description="null before the first batch")]
    speed: SpeedInfo
    log: LogInfo
