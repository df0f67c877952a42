"""The body of a customer's history: a series over days, weeks or months."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from serving_layer.schemas.provenance import Provenance

Grain = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Step:
    """What the customer did in one step of the range; zeros where it did nothing."""

    start: Annotated[date, Field(description="the step's first day that lies in the range")]
    revenue: Annotated[str, Field(description="money")]
    orders: int
    refunded: Annotated[str, Field(description="money")]
    refunds: int
    tickets: Annotated[int, Field(description="opened")]
    engagement: Annotated[int, Field(description="emails opened and clicked, and campaigns viewed")]


# The names of the range's ends are words of Python.
@dataclass(frozen=True, slots=True)
class History:
    """A customer's series; `from` and `to` are both included, and every step between them has an entry."""

    customer_id: str
    from_: Annotated[date, Field(alias="from")]
    to: date
    grain: Grain
    series: list[Step]
    provenance: Provenance
