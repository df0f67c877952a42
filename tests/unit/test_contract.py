"""The contract is the project's own page, and each of its rules is named by a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"\bR([0-9]+[ab]?)\b", re.IGNORECASE)


def rules() -> list[str]:
    """The rules that the page states, in its order."""
    return re.findall(r"^R([0-9]+[ab]?)\. ", (ROOT / "docs/contract.md").read_text(encoding="utf-8"), re.MULTILINE)


def cited(folder: str, pattern: str) -> set[str]:
    """The rules that files cite."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob(pattern) if path != Path(__file__))
    return {rule.lower() for text in texts for rule in RULE.findall(text.replace("_", " "))}


def test_the_page_states_25_rules_and_two_more_letters() -> None:
    assert [rule for rule in rules() if rule.isdigit()] == [str(number) for number in range(1, 26)]
    assert {"5a", "5b"} <= set(rules())


def test_every_rule_is_named_by_a_test() -> None:
    assert set(rules()) <= cited("tests", "*.py")


def test_nothing_cites_a_rule_that_the_contract_does_not_state() -> None:
    packages = ("common", "batch_layer", "speed_layer", "serving_layer", "infra")
    found = {rule for package in packages for rule in cited(package, "*.py")} | cited("docs", "*.md")

    assert found <= set(rules())
