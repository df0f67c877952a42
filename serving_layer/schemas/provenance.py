"""The provenance in an answer (R22)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field


class ReasonName(StrEnum):
    """Every reason for which an answer is degraded. docs/serving.md has a line for each."""

    LOGIC_VERSION = "logic_version"
    """The batch was computed with another meaning of measures, states and current facts."""
    VALIDATION_VERSION = "validation_version"
    """The batch, or the speed layer, validated by other rules."""
    NEVER_RAN = "never_ran"
    """The speed layer never ran in the customer's partition."""
    DELTAS_GONE = "deltas_gone"
    """Deltas above the batch's cut have expired, or were never written."""
    NO_HEARTBEAT = "no_heartbeat"
    """The speed layer has never sent a heartbeat."""
    SILENT = "silent"
    """The speed layer's last heartbeat is too old."""
    BEHIND_RECORDS = "behind_records"
    """The speed layer has too many records to apply."""
    BEHIND_SECONDS = "behind_seconds"
    """The speed layer has not been at the log's end for too long."""
    NOT_CAUGHT_UP = "not_caught_up"
    """The speed layer has never been at the log's end."""
    ACCEPTED_DRIFT = "accepted_drift"
    """An audit found that batch and speed layer disagree about the customer, and an operator accepted it."""
    LOST_RECORDS = "lost_records"
    """A range of the customer's partition was lost, and is not declared as sent again."""
    UNREADABLE_CELL = "unreadable_cell"
    """A stored cell is of another release; the answer has no values."""


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
    behind_records: Annotated[
        int | None, Field(description="null if the speed layer never ran, or if the answer is a batch's alone")
    ]
    behind_seconds: Annotated[
        float | None,
        Field(description="seconds since it last had applied the log to its end; null if it never had, or as above"),
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
    reason_names: Annotated[list[ReasonName], Field(description="the names of `reasons`, in the same order")]
    batch: Annotated[BatchInfo | None, Field(description="null before the first batch")]
    speed: SpeedInfo
    log: LogInfo
