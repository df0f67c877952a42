"""Values of files become the wire's texts, exactly."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from common.errors import RejectedRecord, UsageError
from infra.ingest.values import date_converter, text_of, zone_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12.50", "12.50"),
        ("", None),
        (None, None),
        (42, "42"),
        (17850.0, "17850"),
        (12.1, "12.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (float("nan"), None),
        (Decimal("12.3000"), "12.3"),
        (Decimal("1E+2"), "100"),
        (Decimal("-0.0"), "0"),
        (Decimal("1234567890123456789012345678.10"), "1234567890123456789012345678.1"),
        (date(1997, 1, 2), "1997-01-02"),
    ],
)
def test_a_value_becomes_its_shortest_exact_text(value: object, text: str | None) -> None:
    assert text_of("f", value) == text


@pytest.mark.parametrize(
    "value",
    [True, [1], {}, b"x", float("inf"), 2.0**53, 10**50, Decimal("1E+999999999"), Decimal("Infinity"), "\udcff"],
)
def test_what_is_no_exact_text_is_rejected_and_never_guessed(value: object) -> None:
    with pytest.raises(RejectedRecord):
        text_of("f", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-07-01 12:00:00", "2024-07-01T10:00:00Z"),
        ("2024-07-01T12:00", "2024-07-01T10:00:00Z"),
        (datetime(2024, 1, 1, 0, 30), "2023-12-31T23:30:00Z"),  # noqa: DTZ001 # naive is the case
        (datetime(2024, 1, 1, 0, 30, tzinfo=UTC), "2024-01-01T00:30:00Z"),
        ("2024-07-01T12:00:00+09:00", "2024-07-01T12:00:00+09:00"),
        ("2024-07-01", "2024-07-01"),
        ("2024-10-27 02:30:00", "2024-10-27T00:30:00Z"),
        ("2024-07-41 12:00:00", "2024-07-41 12:00:00"),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_zone_and_a_plain_date_stays(value: object, text: str) -> None:
    assert date_converter(zone_of("Europe/Berlin"))("order_date", value) == text


def test_a_time_that_the_clocks_skipped_is_rejected() -> None:
    with pytest.raises(RejectedRecord, match="skipped"):
        date_converter(zone_of("Europe/Berlin"))("order_date", "2024-03-31 02:30:00")


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="--timezone"):
        zone_of(name)
