"""Rows of features as tests compare them, and what the oracle says that they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from batch_layer.export import export, features
from batch_layer.job import Job
from batch_layer.master.table import Head
from common.algebra.features import FEATURES
from common.algebra.pointer import Published
from infra.proof.oracle import Oracle
from tests.support.exported import published

PUBLISHED_ON = date(2024, 7, 10)
FeatureValue = int | float | bool | str | None


@dataclass(frozen=True)
class FeatureRow:
    """A customer's features, and when they were known."""

    features: dict[str, FeatureValue]
    known_at: datetime
    created_at: datetime
    as_of: date
    cut: str


def export_features(job: Job, head: Head, batch_id: int) -> Published:
    """What a run's export does with the batch of all that the master holds, but for the rankings; returns the batch.

    It is published on a day of its own, long after its records were appended.
    """
    as_of = PUBLISHED_ON + timedelta(days=batch_id)
    batch = published(head, as_of, batch_id=batch_id)
    rows, _ = export.day_replaced(job, batch, as_of)
    export.features_replaced(job, batch, as_of, rows)
    return batch


def feature_rows(job: Job) -> dict[tuple[int, str], FeatureRow]:
    """Every row by batch and customer."""
    times = [f"unix_micros({name}) AS {name}" for name in (features.KNOWN_AT, features.CREATED_AT)]
    others = [name for name in features.COLUMNS if name not in (features.KNOWN_AT, features.CREATED_AT)]
    rows = job.spark.table(features.TABLE.name(job.settings)).selectExpr(*others, *times).collect()
    found = {
        (row["batch_id"], row["customer_id"]): FeatureRow(
            features={each.name: row[each.name] for each in FEATURES},
            known_at=_time(row[features.KNOWN_AT]),
            created_at=_time(row[features.CREATED_AT]),
            as_of=row["as_of"],
            cut=row["cut"],
        )
        for row in rows
    }
    assert len(found) == len(rows), "one row a customer and batch"
    return found


def oracle_features(oracle: Oracle, customer: str, as_of: date) -> dict[str, FeatureValue]:
    """What the oracle's answer is in the types of features: amounts in cents, hours and rates as floats."""
    answer = oracle.answer(customer, as_of)
    assert answer is not None
    profile = oracle.profile(customer) or {}
    return features_of(answer, profile)


def features_of(metrics: Mapping[str, object], profile: Mapping[str, object]) -> dict[str, FeatureValue]:
    """The features of an answer as the API gives it, spelled out here and not by the product's table of features."""
    found: dict[str, FeatureValue] = {}
    for name, value in metrics.items():
        if name in _MONEY:
            found[f"{name}_cents"] = None if value is None else int(Decimal(str(value)) * 100)
        elif name in _REAL:
            found[name] = None if value is None else float(str(value))
        elif name not in _NO_FEATURES:
            assert value is None or isinstance(value, bool | int)
            found[name] = value
    return found | {name: _text(profile.get(name)) for name in ("country", "segment")}


_MONEY = ("total_revenue", "avg_order_value", "estimated_clv", "total_refunded", "net_revenue", "revenue_90d")
_REAL = ("avg_resolution_hours", "click_through_rate")
_NO_FEATURES = ("first_order_date", "last_order_date", "last_engagement_date", "risk_reason")


def _text(value: object) -> str | None:
    assert value is None or isinstance(value, str)
    return value


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, tz=UTC)
