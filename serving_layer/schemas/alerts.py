"""The bodies of lists of alerts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True)
class AlertItem:
    """An alert: what an event called for."""

    id: Annotated[str, Field(description="PARTITION:OFFSET:RULE; an alert that comes twice has the same id")]
    rule: str
    customer_id: str
    at: Annotated[datetime, Field(description="the event's own time")]
    position: Annotated[str, Field(description="PARTITION:OFFSET of the record that raised it")]
    evidence: Annotated[dict[str, object], Field(description="the figures that it stands on")]
    recommended_action: Annotated[str | None, Field(description="null where the rule names none")]


@dataclass(frozen=True, slots=True)
class Alerts:
    """A page of alerts, the newest first. A page may be short, and not the last: only `next_cursor` says that."""

    items: list[AlertItem]
    next_cursor: str | None
