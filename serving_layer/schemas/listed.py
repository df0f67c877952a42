"""The body of a list of customers, which the last batch ranked."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import Field

from common.algebra.metrics import MetricValue
from serving_layer.schemas.provenance import BatchInfo


@dataclass(frozen=True, slots=True)
class ListedCustomer:
    """A customer as the batch knew it. `/v1/customers/{id}/metrics` has today's answer."""

    customer_id: str
    value: Annotated[MetricValue, Field(description="of the metric `rank_by`: a decimal string or a number")]
    country: str | None
    segment: str | None
    at_risk: bool | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of customers by the batch alone: the speed layer's deltas are not in it."""

    rank_by: str
    items: list[ListedCustomer]
    next_cursor: str | None
    complete: Annotated[
        bool, Field(description="whether every customer that fits is in the list; else only those in a ranking")
    ]
    batch: BatchInfo
    as_of: Annotated[date, Field(description="the day whose metrics are ranked")]
