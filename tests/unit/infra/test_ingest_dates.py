"""Dates of files: every spelling that names one moment is taken, and what could name two is not (R5)."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.algebra.dates import parse_moment
from common.errors import RejectedRecord, UsageError
from infra.ingest.date_formats import FORMAT_NAMES, date_format
from infra.ingest.dates import date_converter, day_converter
from infra.ingest.values import zone_of

BERLIN = zone_of("Europe/Berlin")


def read(value: object, form: str = "iso") -> str | None:
    return date_converter(zone_of("UTC"), date_format(form))("order_date", value)


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
    assert date_converter(BERLIN)("order_date", value) == text


def test_a_time_that_the_clocks_skipped_is_rejected() -> None:
    with pytest.raises(RejectedRecord, match="skipped"):
        date_converter(BERLIN)("order_date", "2024-03-31 02:30:00")


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01 09:30:00+00",
        "2026-03-01 11:30:00+02",
        "2026-03-01 09:30:00 UTC",
        "2026-03-01 09:30:00 GMT",
        "2026-03-01 09:30:00 Z",
        "2026-03-01 09:30:00.000 +0000",
        "2026-03-01 09:30:00.0000000 +00:00",
        "2026-03-01T09:30:00.000000000000Z",
        "2026-03-01 04:30:00 -0500",
        "2026-03-01T09:30:00+0000",
        "2026-03-01T09:30Z",
        "2026-03-01 9:30",
        "2026-03-01T10:30+01:00",
        "2026-03-01T10:30+01:00[Europe/Berlin]",
        "2026-03-01T09:30:00,000Z",
        "20260301T093000Z",
        "20260301T103000+0100",
    ],
)
def test_a_spelling_that_names_one_moment_is_that_moment(text: str) -> None:
    assert parse_moment(read(text) or "") == parse_moment("2026-03-01T09:30:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:30:00[Europe/Paris]",
        "2026-03-01 09:30:00 EST",
        "2026-03-01 24:00:00",
        "2016-12-31T23:59:60Z",
        "0000-00-00 00:00:00",
        "12/31/2025",
        "31.12.2025",
        "01/02/03",
        "2026-3-1",
        "20260301",
        "1772357400",
        "2026-03-01 ",
        "\uff12\uff10\uff12\uff16-03-01",
        "Sun, 01 Mar 2026 09:30:00 GMT",
        "infinity",
    ],
)
def test_what_could_name_two_moments_or_none_stays_as_it_is_for_validation_to_reject(text: str) -> None:
    assert read(text) == text
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("form", "text", "wire"),
    [
        ("day-first", "31/12/2025", "2025-12-31"),
        ("day-first", "1.2.2026", "2026-02-01"),
        ("day-first", "01-02-2026 09:30", "2026-02-01T09:30:00Z"),
        ("day-first", "01/02/2026 09:30:15.5 +0200", "2026-02-01T09:30:15.500000+02:00"),
        ("day-first", "2026-02-01", "2026-02-01"),
        ("month-first", "12/31/2025", "2025-12-31"),
        ("epoch-seconds", "1772357400", "2026-03-01T09:30:00Z"),
        ("epoch-seconds", 1772357400, "2026-03-01T09:30:00Z"),
        ("epoch-seconds", "1772357400.25", "2026-03-01T09:30:00.250000Z"),
        ("epoch-milliseconds", 1772357400250, "2026-03-01T09:30:00.250000Z"),
        ("%d %B %Y", "1 March 2026", "2026-03-01"),
        ("%m/%d/%Y %I:%M %p", "03/01/2026 9:30 PM", "2026-03-01T21:30:00Z"),
        ("%Y%m%d%H%M%S%z", "20260301093000+0100", "2026-03-01T08:30:00Z"),
        ("%a, %d %b %Y %H:%M:%S %Z", "Sun, 01 Mar 2026 09:30:00 GMT", "2026-03-01T09:30:00Z"),
        ("epoch-seconds", date(2026, 3, 1), "2026-03-01"),
        ("day-first", datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00Z"),
    ],
)
def test_a_date_is_read_by_the_format_that_an_option_names(form: str, text: object, wire: str) -> None:
    assert read(text, form) == wire


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("day-first", "12/31/2025"),
        ("day-first", "31/12/2025 25:00"),
        ("month-first", "31/12/2025"),
        ("epoch-seconds", "2026-03-01"),
        ("epoch-seconds", "1e9"),
        ("%d %B %Y", "2026-03-01"),
    ],
)
def test_a_date_that_is_not_written_in_the_format_is_rejected_with_the_format(form: str, text: str) -> None:
    with pytest.raises(RejectedRecord, match="order_date") as caught:
        read(text, form)
    assert caught.value.value == text


def test_a_zone_that_strptime_names_is_utc_whatever_the_zone_of_the_file() -> None:
    convert = date_converter(BERLIN, date_format("%d %b %Y %H:%M %Z"))

    assert convert("order_date", "01 Mar 2026 09:30 UTC") == "2026-03-01T09:30:00Z"


def test_a_count_of_seconds_beyond_every_calendar_is_left_for_validation_to_reject() -> None:
    assert read("9" * 20, "epoch-seconds") == "9" * 20


@pytest.mark.parametrize("form", ["", "iso8601", "%H:%M", "%d.%m", "%Q", "epoch"])
def test_a_format_that_names_no_day_is_a_usage_error(form: str) -> None:
    with pytest.raises(UsageError, match="--date-format"):
        date_format(form)


@given(
    when=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 12, 30)),  # noqa: DTZ001 # zones are drawn
    minutes=st.integers(min_value=-14 * 60, max_value=14 * 60),
    spelling=st.sampled_from(["{}{:+03d}:{:02d}", "{}{:+03d}{:02d}", "{} {:+03d}:{:02d}", "{} {:+03d}{:02d}"]),
    comma=st.booleans(),
    separator=st.sampled_from("T t"),
)
def test_r5_a_moment_is_the_same_in_every_spelling(
    *, when: datetime, minutes: int, spelling: str, comma: bool, separator: str
) -> None:
    sign = -1 if minutes < 0 else 1
    hours, rest = divmod(abs(minutes), 60)
    local = when.isoformat(sep=separator)
    text = spelling.format(local.replace(".", ",") if comma else local, sign * hours, rest)
    if sign < 0 and hours == 0:
        text = text.replace("+00", "-00")

    aware = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_moment(read(text) or "") == parse_moment(aware.isoformat())


@given(when=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 12, 30)))  # noqa: DTZ001
@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_r5_a_format_reads_what_is_written_in_it(form: str, when: datetime) -> None:
    aware = when.replace(tzinfo=UTC)
    micros = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    written = {
        "iso": when.isoformat(),
        "day-first": when.strftime("%d.%m.%Y %H:%M:%S.%f"),
        "month-first": when.strftime("%m/%d/%Y %H:%M:%S.%f"),
        "epoch-seconds": f"{micros // 1_000_000}.{micros % 1_000_000:06}",
        "epoch-milliseconds": f"{micros // 1_000}.{micros % 1_000:03}",
    }[form]
    assert parse_moment(read(written, form) or "") == parse_moment(aware.isoformat())


def test_a_birth_date_has_the_same_formats_and_no_time() -> None:
    assert day_converter(date_format("day-first"))("birth_date", "31/12/1980") == "1980-12-31"
    assert day_converter()("birth_date", datetime(1980, 12, 31)) == "1980-12-31"  # noqa: DTZ001 # pandas writes it so
    assert day_converter()("birth_date", "1980-12-31 00:00:00") == "1980-12-31 00:00:00"


FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2101, 1, 1, tzinfo=UTC)
NEAR = timedelta(days=2)
AROUND_LIMITS = st.one_of(
    *(
        st.datetimes(min_value=(edge - NEAR).replace(tzinfo=None), max_value=(edge + NEAR).replace(tzinfo=None))
        for edge in (FIRST, LAST)
    ),
    st.sampled_from((FIRST, LAST)).flatmap(
        lambda edge: st.integers(min_value=-2, max_value=2).map(
            lambda micros: (edge + timedelta(microseconds=micros)).replace(tzinfo=None)
        )
    ),
)


@given(when=AROUND_LIMITS, minutes=st.integers(min_value=-14 * 60, max_value=14 * 60))
@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_r5_a_moment_is_taken_exactly_if_it_lies_within_the_limits(form: str, when: datetime, minutes: int) -> None:
    aware = when.replace(tzinfo=UTC)
    micros = (aware - FIRST) // timedelta(microseconds=1)
    local = aware.astimezone(timezone(timedelta(minutes=minutes)))
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    size = abs(micros)
    minus = "-" if micros < 0 else ""
    written = {
        "iso": local.strftime("%Y-%m-%d %H:%M:%S.%f") + offset,
        "day-first": local.strftime("%d.%m.%Y %H:%M:%S.%f") + offset,
        "month-first": local.strftime("%m/%d/%Y %H:%M:%S.%f") + offset,
        "epoch-seconds": f"{minus}{size // 1_000_000}.{size % 1_000_000:06}",
        "epoch-milliseconds": f"{minus}{size // 1_000}.{size % 1_000:03}",
    }[form]

    text = read(written, form) or ""

    if FIRST <= aware < LAST:
        assert parse_moment(text).micros == micros
    else:
        with pytest.raises(ValueError, match="RFC 3339"):
            parse_moment(text)
