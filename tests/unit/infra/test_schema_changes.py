"""The numbered files of the schema against what a keyspace has on record."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.schema import changes
from infra.schema.changes import Change, Recorded, SchemaError

RELEASED: Mapping[str, str] = {
    "0001-first-tables": "605660f2620cd354d4c88e01d9d89207e1308589058e3e3922e40bc972dd7df4",
    "0002-no-read-repair": "afa0aebb0a4ba23303b3ef92892e5b339b06cd0982c6b9aca79189c270ca1811",
    "0003-journal": "c249c32d8a70788b1b59af7257b8cf72e730a28c579ed7e04b496a9f16def9bf",
    "0004-batch-owner": "4e1459585cadd0530a191c22dbe886ffab4f94e10cbdb13b204212dd994d1c6d",
    "0005-declared-shapes": "d183847c00d1d25eab4f412d78d231cf098148b35ce41b7af0afebea6cebc7d9",
    "0006-notifications": "2c6d47122fe81802c980fd188a84628123be3b2148c29195447d4f6898228694",
    "0007-rankings": "02286b44443ae6f95e4434714f1e8a5df69be58d77ef3a4456d40480bca725b5",
}
"""The checksum of each file as it was when it landed: a file is never changed afterwards, only added to by another."""

REPEATABLE = (
    r"CREATE TABLE IF NOT EXISTS \w+ \(.*",
    r"ALTER TABLE \w+ ADD IF NOT EXISTS \w+ .*",
    r"ALTER TABLE \w+ WITH .*",
)


def change(number: int, text: str = "CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)") -> Change:
    return Change(number, f"step-{number}", (f"{text} -- {number}",))


def recorded(of: Change, checksum: str | None = None) -> Recorded:
    at = datetime(2026, 1, of.number, tzinfo=UTC)
    return Recorded(of.number, of.name, checksum or of.checksum, at, "ada@host, lambda360 9.9")


ONE, TWO, THREE = change(1), change(2), change(3)


def test_the_files_are_as_they_were_when_they_landed() -> None:
    assert {each.title: each.checksum for each in changes.load()} == RELEASED


def test_every_statement_may_be_repeated_since_a_killed_run_is_run_again() -> None:
    for statement in changes.statements():
        assert any(re.fullmatch(form, statement, re.DOTALL) for form in REPEATABLE), statement


def test_files_are_read_in_the_order_of_their_numbers_and_without_comments(tmp_path: Path) -> None:
    (tmp_path / "0002-more.cql").write_text("ALTER TABLE t ADD IF NOT EXISTS b int;\n")
    (tmp_path / "0001-first.cql").write_text("-- why; and who\nCREATE TABLE t (\n    a int, -- one; two\n);\n\nNEXT;")
    (tmp_path / "topics.yaml").write_text("topic: {}")

    assert changes.load(tmp_path) == (
        Change(1, "first", ("CREATE TABLE t (\n    a int,\n)", "NEXT")),
        Change(2, "more", ("ALTER TABLE t ADD IF NOT EXISTS b int",)),
    )


@pytest.mark.parametrize("names", [("0002-second",), ("0001-a", "0001-b"), ("0001-a", "0003-c"), ("1-a",), ("0001",)])
def test_a_number_that_is_missing_or_given_twice_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / f"{name}.cql").write_text("A;")

    with pytest.raises(SchemaError, match=r"\.cql"):
        changes.load(tmp_path)


def test_a_checksum_is_of_the_statements_and_not_of_their_layout() -> None:
    wide, narrow = Change(1, "a", ("CREATE TABLE t (\n    a int\n)",)), Change(1, "a", ("CREATE TABLE t ( a int )",))

    assert wide.checksum == narrow.checksum
    assert wide.checksum != Change(1, "a", ("CREATE TABLE t ( b int )",)).checksum
    assert Change(1, "a", ("A", "B")).checksum != Change(1, "a", ("A B",)).checksum


def test_what_is_not_on_record_is_waiting_in_order() -> None:
    assert changes.waiting([ONE, TWO, THREE], []) == [ONE, TWO, THREE]
    assert changes.waiting([ONE, TWO, THREE], [recorded(ONE)]) == [TWO, THREE]
    assert changes.waiting([ONE, TWO], [recorded(ONE), recorded(TWO)]) == []


def test_a_recorded_file_that_was_changed_since_is_refused_with_its_name_and_who_applied_it() -> None:
    with pytest.raises(SchemaError) as told:
        changes.waiting([ONE, TWO], [recorded(ONE, "other")])

    for part in ("0001-step-1", "ada@host, lambda360 9.9", "2026-01-01", "only ever added to"):
        assert part in str(told.value)


def test_a_change_that_was_left_out_is_refused() -> None:
    """Each change is written for the schema that all before it made."""
    with pytest.raises(SchemaError, match=r"0003-step-3 is on record .* 0002-step-2 is not"):
        changes.waiting([ONE, TWO, THREE], [recorded(ONE), recorded(THREE)])


def test_changes_of_a_newer_release_are_left_alone_and_named() -> None:
    """A release that is rolled back finds the schema of the one after it, which was only added to."""
    on_record = [recorded(ONE), recorded(TWO), recorded(THREE)]

    assert changes.waiting([ONE], on_record) == []
    assert changes.newer([ONE], on_record) == [recorded(TWO), recorded(THREE)]
    assert changes.newer([ONE, TWO, THREE], on_record) == []


def test_a_release_that_misses_a_change_below_a_newer_ones_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"0003-step-3 is on record .* 0002-step-2 is not"):
        changes.waiting([ONE, TWO], [recorded(ONE), recorded(THREE)])
