"""R5a: the profile is a register; what a customer's age and tenure are on a day."""

from datetime import date

import pytest

from common.algebra.dates import MICROS_PER_DAY, day_of
from common.algebra.facts import Delta, Image
from common.algebra.measures import contribution
from common.algebra.merge import merge
from common.algebra.metrics import present
from common.algebra.payloads import Retracted
from common.algebra.profile import CustomerProfile, age_years, present_profile, tenure_days
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.errors import RejectedRecord
from common.log.events import parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from tests.support.builders import Message, record
from tests.support.deltas import changed


def micros(day: str) -> int:
    return day_of(date.fromisoformat(day)) * MICROS_PER_DAY


def said(segment: str, version: int = 1) -> Image:
    return Image(version, CustomerProfile(None, None, "GB", segment))


@pytest.mark.parametrize(
    ("born", "as_of", "years"),
    [
        ("1990-06-30", "2024-06-29", 33),
        ("1990-06-30", "2024-06-30", 34),
        ("2000-02-29", "2023-02-28", 22),
        ("2000-02-29", "2023-03-01", 23),
        ("2000-02-29", "2024-02-29", 24),
        ("1850-01-01", "2024-06-30", 174),
        ("2024-06-30", "2024-06-30", 0),
        ("2024-07-01", "2024-06-30", None),
    ],
)
def test_an_age_is_of_full_years_and_null_before_birth(born: str, as_of: str, years: int | None) -> None:
    known = CustomerProfile(None, micros(born), None, None)

    assert age_years(known, date.fromisoformat(as_of)) == years


def test_a_tenure_is_of_days_and_null_before_signing_up() -> None:
    known = CustomerProfile(micros("2024-06-01") + MICROS_PER_DAY - 1, None, None, None)

    assert tenure_days(known, date(2024, 6, 1)) == 0
    assert tenure_days(known, date(2024, 6, 30)) == 29
    assert tenure_days(known, date(2024, 5, 31)) is None
    assert tenure_days(None, date(2024, 6, 30)) is None


def test_a_profile_is_answered_beside_the_metrics_that_follow_from_it() -> None:
    known = CustomerProfile(micros("2024-06-01"), micros("1990-06-30"), "GB", "retail")

    assert present_profile(known) == {
        "signed_up_date": "2024-06-01",
        "birth_date": "1990-06-30",
        "country": "GB",
        "segment": "retail",
    }
    metrics = present(State({}), date(2024, 6, 30), known)
    assert (metrics["age_years"], metrics["tenure_days"]) == (34, 29)
    assert present_profile(None) is None


def test_the_last_delta_at_or_above_the_cut_wins_else_the_batchs_profile() -> None:
    batch = ViewRow(State({}), said("batch"))
    deltas = [
        (9, changed("ada", said("five"), said("nine", 3))),
        (4, changed("ada", None, said("four"))),
        (5, changed("ada", said("four"), said("five", 2))),
    ]

    assert merge(batch, deltas, 5).image == said("nine", 3)
    assert merge(batch, deltas[1:], 5).image == said("five", 2)
    assert merge(batch, deltas[1:2], 5).image == said("batch")
    assert merge(None, deltas[1:2], 5).image is None


def test_a_reset_at_or_above_the_cut_forgets_the_profile() -> None:
    batch, reset = ViewRow(State({}), said("batch")), Delta.reset(0)

    assert merge(batch, [(5, reset)], 5).image is None
    assert merge(batch, [(3, reset)], 5).image == said("batch")
    assert merge(batch, [(5, reset), (7, changed("ada", None, said("new")))], 0).image == said("new")


def test_a_retracted_profile_is_kept_with_its_version_and_answered_as_none() -> None:
    taken_back = Image(2, Retracted("customer_profile"))

    merged = merge(ViewRow(State({}), taken_back), (), 0)

    assert (merged.image, merged.profile, merged.known) == (taken_back, None, True)


def test_a_profile_adds_nothing_to_the_state() -> None:
    assert contribution(CustomerProfile(micros("2024-06-01"), None, None, None)) == State({})


@pytest.mark.parametrize("image", [None, said('a "b" \\ ☃'), Image(7, Retracted("customer_profile"))])
def test_a_rows_cell_is_read_back_as_it_was(image: Image | None) -> None:
    row = ViewRow(State({19_900: (1, 2, *[0] * 9)}), image)

    assert ViewRow.from_json(row.to_json()) == row


VALID = {"customer_id": "ada", "updated_at": "2024-06-05"}


def read(message: Message) -> object:
    return parse(message.key, message.value, partition_of("ada", 4), 4, 10**15, Rules("USD"))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("birth_date", "1849-12-31", "a plain date from 1850-01-01 to 2100-12-31"),
        ("birth_date", "1990-01-01T00:00:00Z", "a plain date"),
        ("country", "gb", "two capital letters"),
        ("segment", "x" * 65, "1 to 64 characters"),
        ("signed_up_date", "1969-12-31", "from 1970-01-01"),
        ("updated_at", "2024-06-31", "RFC 3339"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named_with_it(field: str, value: object, rule: str) -> None:
    with pytest.raises(RejectedRecord, match=rf"data\.{field}.*{rule}"):
        read(record("customer_profile.recorded", "ada", "2024-06-05", {**VALID, field: value}))
