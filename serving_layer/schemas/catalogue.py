"""The body of the catalogue of metrics."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric that answers have."""

    name: str
    unit: Annotated[str, Field(description="money, count, days, years, date, hours, rate, flag or text")]
    definition: Annotated[str, Field(description="what it means, in a sentence")]
    formula: Annotated[str, Field(description="how it is computed, and when it is null")]
    rankable: Annotated[bool, Field(description="whether `GET /v1/customers` can rank by it")]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every metric, in the order of answers."""

    items: list[MetricInfo]
    next_cursor: Annotated[None, Field(description="always null: the list is whole")] = None
