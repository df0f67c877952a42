"""The body of a list of facts: a customer's entities as they stand now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from serving_layer.schemas.explanation import OriginInfo, Shown
from serving_layer.schemas.provenance import Provenance

Order = Literal["newest_first", "by_kind_and_id"]
Payload = Annotated[
    dict[str, Shown] | None, Field(description="its fields: amounts as decimal strings, dates in ISO 8601 (UTC)")
]


@dataclass(frozen=True, slots=True)
class FactItem:
    """One entity: what it says now, and what it said before its last change."""

    kind: str
    entity_id: str
    happened_at: Annotated[datetime, Field(description="the entity's own date; of a profile, its last update")]
    updated_at: Annotated[datetime, Field(description="the version: the source's `updated_at`, or the own date")]
    retracted: bool
    changed: Annotated[bool, Field(description="whether a later record changed it, or took it back")]
    payload: Annotated[Payload, Field(description="null where it is retracted")]
    before: Annotated[Payload, Field(description="before its last change; null where that made it new")]
    position: Annotated[str, Field(description="PARTITION:OFFSET of the record that it is from")]
    origin: Annotated[OriginInfo | None, Field(description="where that record came from; null where no longer known")]


@dataclass(frozen=True, slots=True)
class Facts:
    """A page of a customer's current facts. What an erasure forgot is not among them."""

    customer_id: str
    order: Annotated[
        Order,
        Field(description="newest_first by `happened_at`, for customers of so many facts that they can be sorted"),
    ]
    items: list[FactItem]
    next_cursor: str | None
    provenance: Provenance
