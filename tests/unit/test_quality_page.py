"""The page of the quality rules names a test for each rule of its table, and the test is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "quality.md"
ROW = re.compile(r"^\| ([^|]+) \| `([^`]+)::(\w+)` \| (.+) \|$", re.MULTILINE)
SEEDS = {
    "schema: a new field",
    "schema: a removed field",
    "schema: a changed type",
    "volume",
    "nulls",
    "domain",
    "quarantine",
    "trend",
}


def test_every_rule_of_the_table_names_a_test_that_is_there() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))

    assert {name for name, *_ in rows} == SEEDS
    missing = [
        f"{path}::{name}"
        for _, path, name, _ in rows
        if f"\ndef {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []
    assert all(message.strip() for *_, message in rows)
