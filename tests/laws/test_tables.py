"""R5, R6, R7: every measure and every metric is under the laws by being in its table."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from common.algebra.dates import day_of
from common.algebra.measures import MEASURES
from common.algebra.merge import merge
from common.algebra.metrics import METRIC, METRICS, MetricValue, present
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, order, random_log, refund, ticket
from tests.support.model import batch_rows, batch_states

LOG: Final = random_log(seed=7, count=4000, customers=60)
ORACLE: Final = Oracle(LOG.records, LOG.partitions)
ROWS: Final = batch_rows(LOG.records, LOG.next_offsets, LOG.partitions)
STATES: Final = {customer: row.state for customer, row in ROWS.items()}
DAYS: Final = [AS_OF + timedelta(days=days) for days in (-100, -45, -10, -3, 0, 2, 40)]
NULLABLE: Final = {
    "avg_order_value", "first_order_date", "last_order_date", "days_since_last_order", "customer_lifetime_days",
    "estimated_clv", "avg_resolution_hours", "risk_reason", "click_through_rate", "last_engagement_date",
    "age_years", "tenure_days",
}  # fmt: skip
TYPES: Final[dict[str, type]] = {"count": int, "days": int, "years": int, "flag": bool}


def test_the_logs_customers_are_known_to_both() -> None:
    assert sorted(STATES) == ORACLE.customers()
    assert len(STATES) > 40


def test_the_oracle_answers_exactly_the_metrics_of_the_table() -> None:
    answer = ORACLE.answer(ORACLE.customers()[0], AS_OF)
    assert answer is not None
    assert set(answer) == {metric.name for metric in METRICS}


@pytest.mark.parametrize("name", [metric.name for metric in METRICS])
def test_a_metric_agrees_with_the_oracle_and_is_put_to_the_test(name: str) -> None:
    """Trivial values would agree too: so several must occur, null where the rule has one and only there."""
    found: set[MetricValue] = set()
    for customer_id, state in STATES.items():
        for as_of in DAYS:
            expected = ORACLE.answer(customer_id, as_of)
            assert expected is not None
            value = present(state, as_of, merge(ROWS[customer_id], (), 0).profile)[name]
            assert value == expected[name], (customer_id, as_of)
            assert value is None or type(value) is TYPES.get(METRIC[name].unit, str)
            found.add(value)
    assert (None in found) == (name in NULLABLE)
    assert len(found) >= (2 if METRIC[name].unit == "flag" else 4)


def _one(_: Any) -> int:
    return 1


def _cents(field: str) -> Callable[[Any], int]:
    return lambda fields: int(fields[field] * 100)


def _when(field: str, *values: str) -> Callable[[Any], int]:
    return lambda fields: int(fields[field] in values)


_charged = _when("status", "pending", "processing", "shipped", "delivered", "completed", "returned")
EXPECTED: Final[dict[str, tuple[str, str, Callable[[Any], int]]]] = {
    "order_count": ("order", "order_date", _charged),
    "revenue": ("order", "order_date", lambda fields: _charged(fields) * int(fields["total_amount"] * 100)),
    "refund_count": ("refund", "refunded_at", _one),
    "refunded": ("refund", "refunded_at", _cents("amount")),
    "tickets": ("support_ticket", "created_date", _one),
    "high_priority_tickets": ("support_ticket", "created_date", _when("priority", "high", "urgent")),
    "tickets_resolved": ("support_ticket", "resolved_date", _one),
    "resolution_seconds": ("support_ticket", "resolved_date", lambda fields: int(fields["resolution_seconds"])),
    "email_opens": ("marketing_event", "event_date", _when("event_type", "email_open")),
    "email_clicks": ("marketing_event", "event_date", _when("event_type", "email_click")),
    "campaign_views": ("marketing_event", "event_date", _when("event_type", "campaign_view")),
}


@pytest.mark.parametrize("index", range(len(MEASURES)), ids=[measure.name for measure in MEASURES])
def test_a_measure_is_its_sum_over_the_current_facts_by_day(index: int) -> None:
    kind, day, value = EXPECTED[MEASURES[index].name]
    seen = 0
    for customer_id, state in STATES.items():
        expected: dict[int, int] = defaultdict(int)
        for entry in ORACLE.current(customer_id):
            if entry.kind == kind and entry.fields.get(day) is not None:
                expected[day_of(entry.fields[day].day)] += value(entry.fields)
        found = {at: values[index] for at, values in state.days.items() if values[index]}
        assert found == {at: total for at, total in expected.items() if total}, customer_id
        seen += len(found)
    assert seen >= 20


def test_a_million_of_the_greatest_contributions_still_fit_64_bits() -> None:
    """R3: amounts and durations are bounded, so that Spark and Cassandra can sum what Python can."""
    log = Log(1)
    log.append(order(total_amount="9999999999.99"), refund(amount="9999999999.99"))
    log.append(ticket(created_date="1970-01-01T00:00:00Z", resolved_date="2100-12-31T23:59:59Z"))
    [state] = batch_states(log.records, log.next_offsets, 1).values()
    assert max(max(values) for values in state.days.values()) * 10**6 < 2**63
