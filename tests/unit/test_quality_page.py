"""The pages of rules name a test for each rule of their table, and the test is there."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from batch_layer.monitor.events import STOPPED
from batch_layer.monitor.rules import RULES

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([^|]+) \| `([^`]+)::(\w+)` \| (.+) \|$", re.MULTILINE)
SEEDS: Mapping[str, set[str]] = {
    "quality.md": {
        "schema: a new field",
        "schema: a removed field",
        "schema: a changed type",
        "volume",
        "nulls",
        "domain",
        "quarantine",
        "trend",
    },
    "monitoring.md": {*RULES, STOPPED},
}


@pytest.mark.parametrize("page", SEEDS)
def test_every_rule_of_the_table_names_a_test_that_is_there(page: str) -> None:
    rows = ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))

    assert {_name(rule) for rule, *_ in rows} == SEEDS[page]
    missing = [
        f"{path}::{name}"
        for _, path, name, _ in rows
        if f"\ndef {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []
    assert all(message.strip() for *_, message in rows)


def _name(rule: str) -> str:
    """A rule's name in the table; one in code is followed by what it says."""
    return rule[1:].partition("`")[0] if rule.startswith("`") else rule
