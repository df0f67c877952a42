"""The file of rules is checked when it is read, and a message names the rule."""

from pathlib import Path

import pytest

from batch_layer.gate.rules import RowRule, ShapeRule
from batch_layer.gate.rules_file import check_decisions, load, parse
from common.errors import UsageError
from common.log.shapes import What
from common.settings import BatchSettings, Settings

GOOD = "{name: ages, kind: row, severity: error, says: too old, where: age_years > 150, at_most: 0.1}"


def of(*rules: str) -> bytes:
    return ("rules:\n" + "".join(f"- {rule}\n" for rule in rules)).encode()


def test_the_release_has_a_rule_of_every_kind_and_each_says_what_is_wrong() -> None:
    rules = load(Settings())

    assert {rule.kind for rule in rules.rules} == {"shape", "volume", "nulls", "row", "set"}
    assert {rule.what for rule in rules.rules if isinstance(rule, ShapeRule)} == set(What)
    assert all(rule.says for rule in rules.rules)
    severities = {rule.name: rule.severity for rule in rules.rules}
    assert {name: severities[name] for name in ("field_new", "field_removed", "field_changed")} == {
        "field_new": "warn",
        "field_removed": "error",
        "field_changed": "error",
    }


def test_a_deployments_own_file_takes_the_place_of_the_releases(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(of(GOOD))
    settings = Settings(batch=BatchSettings(rules_file=str(path)))

    assert load(settings).names == ("ages",)
    path.unlink()
    with pytest.raises(UsageError, match=r"own\.yaml.*No such file"):
        load(settings)


@pytest.mark.parametrize(
    ("text", "names", "says"),
    [
        (of(GOOD, GOOD), "ages", "a name of one rule only"),
        (of(GOOD.replace("ages", "score")), "score", "a name other than"),
        (of(GOOD.replace("error", "fatal")), "ages", "Invalid enum value 'fatal'"),
        (of(GOOD.replace("row", "rows")), "ages", "Invalid value 'rows'"),
        (of(GOOD.replace("0.1", "1.1")), "ages", "<= 1.0"),
        (of(GOOD.replace("where", "when")), "ages", "unknown field `when`|missing required field `where`"),
        (of(GOOD.replace("ages", "Ages!")), "Ages!", "matching regex"),
        (of("{kind: row, severity: warn, says: a, where: b}"), "rule 1", "missing required field `name`"),
        (of("{name: a, kind: nulls, severity: warn, says: b}"), "'a'", "either `of`, `field` and `at_most`, or `rise`"),
        (of("{name: a, kind: nulls, severity: warn, says: b, rise: 0.1, of: order}"), "'a'", "or `rise`"),
        (of("{name: a, kind: nulls, severity: warn, says: b, of: x, field: y, at_most: 0}"), "'a'", "`of` is one of"),
        (of("{name: a, kind: volume, severity: warn, says: b, at_least: 1, at_most: 0.5}"), "'a'", "not be below"),
        (b"rules: [", "", "a YAML file"),
        (b"rules: 1", "rules", "array"),
        (b"more: []", "rules", "unknown field|missing required"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_the_name_of_its_rule(text: bytes, names: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse(text, "own.yaml")
    assert caught.value.field == "own.yaml"
    assert names in str(caught.value)


def test_a_waiver_of_no_rule_names_the_rules_there_are() -> None:
    rules = parse(of(GOOD), "own.yaml")

    check_decisions(rules, {"ages": "a known import"}, {"removed:order.gift@shop", "changed:order.a:number@file:///x"})
    with pytest.raises(UsageError, match="--waive: 'agse': a rule; there are: ages"):
        check_decisions(rules, {"agse": "why"}, ())
    with pytest.raises(UsageError, match="RULE=REASON"):
        check_decisions(rules, {"ages": " "}, ())
    with pytest.raises(UsageError, match=r"removed:KIND\.FIELD@SOURCE"):
        check_decisions(rules, {}, {"order.gift"})


def test_a_rule_of_rows_looks_only_at_the_rows_that_it_is_of() -> None:
    rule = RowRule(name="a", severity="warn", says="b", where="x = 1 OR y", of="kind = 'order'")  # type: ignore[arg-type]

    assert rule.fails == "coalesce((kind = 'order') AND (x = 1 OR y), FALSE)"
    assert rule.concerns == "coalesce((kind = 'order'), FALSE)"
