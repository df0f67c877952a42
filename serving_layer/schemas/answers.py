"""The bodies of requests and answers, encoded as the OpenAPI document shows them."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving_layer.schemas.metrics import ChosenMetrics, Metrics, Profile
from serving_layer.schemas.provenance import Provenance


@dataclass(frozen=True, slots=True)
class CustomerMetrics:
    """One customer's metrics as of a day."""

    customer_id: str
    as_of: date
    metrics: ChosenMetrics
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
    """Asks for many customers at once. All of them are answered from one batch view."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"customer_ids": ["C1", "C2"], "as_of": "2026-11-23"}}
    )

    customer_ids: list[str]
    as_of: Annotated[
        str | None,
        Field(description="a day, not after today (UTC), which is the default", examples=["2026-11-23"]),
    ] = None


@dataclass(frozen=True, slots=True)
class Health:
    """The process is alive, or it is ready to answer requests."""

    status: Literal["alive", "ready"]
