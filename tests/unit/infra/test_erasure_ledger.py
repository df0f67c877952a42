"""The ledger of erasures: what a crash leaves is read, and a restore erases each customer once (R25)."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from common.errors import UsageError
from infra.operate.erasure.ledger import Entry, append, read, to_apply_again

DAY = datetime(2026, 11, 25, tzinfo=UTC)
LATER = datetime(2026, 11, 26, tzinfo=UTC)


def entry(customer_id: str = "ada", *, at: datetime = LATER, topic_id: str = "old", **more: str) -> Entry:
    return Entry(customer_id=customer_id, at=at, who="op@host", topic_id=topic_id, **more)


def test_an_entry_is_asked_for_and_then_done_and_the_last_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "erasures.jsonl"
    asked = entry()
    done = msgspec.structs.replace(asked, position="2:17")

    append(path, asked)
    append(path, entry("bob"))
    append(path, done)

    assert [(each.customer_id, each.position) for each in read(path)] == [("ada", "2:17"), ("bob", None)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_a_crash_cut_short_harms_neither_reading_nor_the_next_entry(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    append(path, entry("ada"))
    path.write_bytes(path.read_bytes() + b'{"id":"x","customer_id":"e')

    append(path, entry("bob"))

    assert [each.customer_id for each in read(path)] == ["ada", "bob"]


@pytest.mark.parametrize("line", [b"{}\n", b'["ada"]\n{"id": 1}\n'])
def test_another_file_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    path.write_bytes(line)

    with pytest.raises(UsageError, match="a ledger of erasures"):
        read(path)


def test_without_a_file_there_are_no_entries(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == []


def test_r25_each_customer_is_erased_again_once_unless_the_log_or_the_backup_holds_it() -> None:
    """R25: the last of a customer's erasures since the backup; what was applied again is not applied a third time."""
    kept = [
        entry("in the backup", at=DAY),
        entry("twice", id="1", position="0:1"),
        entry("twice", id="2", position="0:9"),
        entry("again", id="3"),
        entry("half done", id="4"),
        entry("of this log", topic_id="new", position="1:1"),
    ]
    own = [
        entry("again", topic_id="new", again_of="3", position="0:4"),
        entry("half done", topic_id="new", again_of="4"),
    ]

    found = to_apply_again(kept, LATER, "new", own)

    assert [(each.customer_id, each.id) for each in found] == [("twice", "2"), ("half done", "4")]
