"""Dates on the wire; the laws compare them with the oracle's reading."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from common.algebra.dates import MICROS_PER_DAY, date_of, datetime_of, day_of, micros_of, parse_moment


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2100-12-31", datetime(2100, 12, 31, tzinfo=UTC)),
        ("2024-06-01T00:30:00+01:00", datetime(2024, 5, 31, 23, 30, tzinfo=UTC)),
        ("2024-06-01 00:30:00-00:00", datetime(2024, 6, 1, 0, 30, tzinfo=UTC)),
        ("2024-02-29t23:59:59.9999999z", datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_moment_in_utc(text: str, when: datetime) -> None:
    moment = parse_moment(text)
    assert datetime_of(moment.micros) == when
    assert date_of(moment.day) == when.date()
    assert moment.plain == (len(text) == 10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-06-01T10:00:00",
        "1969-12-31T23:59:59Z",
        "2101-01-01",
        "2100-12-31T23:59:59-00:01",
        "2023-02-29",
        "yesterday",
    ],
)
def test_anything_else_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339 with an offset, or a plain date"):
        parse_moment(text)


def test_days_and_microseconds_are_counted_from_1970_exactly() -> None:
    assert day_of(date(1970, 1, 1)) == 0
    assert date_of(day_of(date(2024, 2, 29))) == date(2024, 2, 29)
    at = datetime(2100, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-5)))
    assert datetime_of(micros_of(at)) == at
    assert micros_of(datetime(1970, 1, 2, tzinfo=UTC)) == MICROS_PER_DAY
    assert micros_of(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
