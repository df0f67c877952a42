"""Values of files become the wire's texts, exactly."""

from datetime import date
from decimal import Decimal

import pytest

from common.errors import RejectedRecord, UsageError
from infra.ingest.values import comma_amount, id_converter, text_of, trimmed, zone_of


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
        (b"caf\xc3\xa9", "café"),
        (b"", None),
    ],
)
def test_a_value_becomes_its_shortest_exact_text(value: object, text: str | None) -> None:
    assert text_of("f", value) == text


@pytest.mark.parametrize(
    "value",
    [True, [1], {}, b"\xff", float("inf"), 2.0**53, 10**50, Decimal("1E+999999999"), Decimal("Infinity"), "\udcff"],
)
def test_what_is_no_exact_text_is_rejected_and_never_guessed(value: object) -> None:
    with pytest.raises(RejectedRecord):
        text_of("f", value)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="--timezone"):
        zone_of(name)


FLOATS = [("917850.0", False), (b"917850.00", False), (Decimal("917850.0"), False), (Decimal(917850), True)]


@pytest.mark.parametrize(("value", "float_column"), FLOATS)
def test_an_id_that_was_made_a_float_is_rejected_with_the_ways_to_mend_it(value: object, float_column: bool) -> None:
    with pytest.raises(RejectedRecord, match=r"--float-ids whole.*--float-ids keep"):
        id_converter("reject", float_column=float_column)("customer_id", value)


@pytest.mark.parametrize(("value", "float_column"), FLOATS)
def test_an_option_reads_such_an_id_as_the_whole_number(value: object, float_column: bool) -> None:
    assert id_converter("whole", float_column=float_column)("customer_id", value) == "917850"


def test_an_option_leaves_such_an_id_as_it_is() -> None:
    assert id_converter("keep", float_column=False)("customer_id", "917850.0") == "917850.0"


@pytest.mark.parametrize("value", ["917850.5", "1.2.0", "v1.0", "5.36E+05", 917850, Decimal(917850), "007", "a.0"])
def test_any_other_id_is_what_it_is(value: object) -> None:
    assert id_converter("reject", float_column=False)("customer_id", value) == text_of("customer_id", value)


def test_a_float_with_decimals_is_no_whole_number() -> None:
    with pytest.raises(RejectedRecord, match="whole number"):
        id_converter("whole", float_column=True)("customer_id", Decimal("917850.5"))


@pytest.mark.parametrize(
    ("value", "text"), [("1234,50", "1234.50"), ("7", "7"), (12.5, "12.5"), ("", None), (b"1,5", "1.5")]
)
def test_an_amount_with_a_decimal_comma_has_a_point_on_the_wire(value: object, text: str | None) -> None:
    assert comma_amount("total_amount", value) == text


@pytest.mark.parametrize("value", ["1.234,50", "12.50", "1,234,5", "-1,00", "1, 5", ",5"])
def test_an_amount_that_is_not_written_so_is_rejected_and_never_guessed(value: str) -> None:
    with pytest.raises(RejectedRecord, match="decimal comma"):
        comma_amount("total_amount", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a b\t", "a b"),
        ("\u00a031-0042 ", "31-0042"),
        ("\ufeffx\u200b", "x"),
        ("  ", ""),
        (" \u2764\ufe0f ", "\u2764\ufe0f"),
    ],
)
def test_what_is_invisible_around_a_value_can_be_trimmed(value: str, text: str) -> None:
    assert trimmed("customer_id", value) == text
