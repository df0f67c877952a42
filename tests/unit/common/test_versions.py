"""R7: the versions are declared, and the golden corpus refuses a change of meaning under an old name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.algebra import dates, facts, measures
from common.algebra.dates import Moment
from common.algebra.facts import Fact, Image, Outcome
from common.algebra.versions import LOGIC, VALIDATION, logic_version
from common.errors import RejectedRecord
from common.log import decoding, events, normalizing, rejection
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.log.wire import RECORD_TYPES
from tests.golden import guard, histories, outcomes, sections
from tests.golden.guard import Digests

DECIDE, CENTS = facts.decide, normalizing._cents


def test_the_names_are_declared_and_the_settings_that_validation_reads_are_legible_in_them() -> None:
    assert logic_version() == LOGIC
    assert validation_version(Rules("USD")) == f"{VALIDATION};currency=USD"


def test_the_meaning_is_the_one_recorded_under_the_declared_names() -> None:
    found = guard.findings(guard.recorded(), guard.measured())

    assert [finding.text for finding in found] == []


def test_the_corpus_holds_thousands_of_records_and_breaks_every_field_of_every_type() -> None:
    corpus = [record for section in sections.VALIDATION for record in guard.records(section)]

    outcome = list(outcomes.validated(corpus, Rules("USD")))

    rejected = {line.removeprefix("rejected: ") for line in outcome if line.startswith("rejected: ")}
    accepted = {msgspec.json.decode(line)["kind"] for line in outcome if not line.startswith("rejected: ")}
    envelope = {field for entry in RECORD_TYPES.values() for field in entry.record.__struct_fields__}
    data = {f"data.{field}" for entry in RECORD_TYPES.values() for field in entry.data.__struct_fields__}
    assert len(corpus) > 4000
    assert accepted == {entry.kind for entry in RECORD_TYPES.values()}
    assert rejected == {"key", "value", "partition", "type"} | envelope | data


def test_the_histories_count_every_measure_and_decide_in_every_way() -> None:
    ways: set[Outcome] = set()

    def noted(current: Fact | None, image: Image, offset: int) -> tuple[Outcome, Fact | None]:
        outcome, fact = DECIDE(current, image, offset)
        ways.add(outcome)
        return outcome, fact

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "decide", noted)
        lines = [line for each in histories.LOGIC for line in outcomes.reckoned(guard.histories(each))]

    states = [
        msgspec.json.decode(line.split(": ", 1)[1], type=dict[int, list[int]]) for line in lines if line[0] == "c"
    ]
    counted = [any(values) for values in zip(*(row for state in states for row in state.values()), strict=True)]
    assert ways == set(Outcome)
    assert "erased" in lines
    assert counted == [True] * len(measures.MEASURES)


def _other_condition() -> dict[str, Any]:
    """Orders count only if they are cancelled."""
    table = {kind: list(entries) for kind, entries in measures._BY_KIND.items()}
    index, count = table["order"][0]
    table["order"][0] = (index, replace(count, where=measures.Where("status", ("cancelled",))))
    return table


def _urgent_does_not_count() -> dict[str, Any]:
    return {
        kind: [
            (index, replace(measure, where=measures.Where("priority", ("high",))))
            if measure.name == "high_priority_tickets"
            else (index, measure)
            for index, measure in entries
        ]
        for kind, entries in measures._BY_KIND.items()
    }


def _first_wins(current: Fact | None, image: Image, offset: int) -> tuple[Outcome, Fact | None]:
    """Of equal versions, the earlier record wins."""
    outcome, fact = DECIDE(current, image, offset)
    if outcome is Outcome.CHANGED and current is not None and image.version == current.after.version:
        return Outcome.STALE, None
    return outcome, fact


def _without_fence(current: Fact | None, image: Image, offset: int) -> tuple[Outcome, Fact | None]:
    """A record below the stored offset is decided like any other."""
    if current is not None and offset < current.offset:
        current = msgspec.structs.replace(current, offset=offset - 1)
    return DECIDE(current, image, offset)


def _tenths_as_hundredths(amount: str, currency: str | None, rules: Rules) -> int:
    return CENTS(amount.replace(".5", ".05") if amount.endswith(".5") else amount, currency, rules)


def _any_currency(amount: str, currency: str | None, rules: Rules) -> int:
    return CENTS(amount, None, rules)


def _to_the_second(created: Moment, resolved: Moment) -> int:
    return (resolved.micros - created.micros) // 1_000_000


@pytest.mark.parametrize(
    ("constant", "module", "name", "mutant"),
    [
        ("LOGIC", measures, "_BY_KIND", _other_condition()),
        ("LOGIC", measures, "_BY_KIND", _urgent_does_not_count()),
        ("LOGIC", facts, "decide", _first_wins),
        ("LOGIC", facts, "decide", _without_fence),
        ("LOGIC", Image, "rank", property(lambda image: (image.version, False))),
        ("VALIDATION", dates, "_LAST_BIRTH", dates._LAST_BIRTH.replace(day=30)),
        ("VALIDATION", dates, "_END", dates._END + dates.MICROS_PER_DAY),
        ("VALIDATION", dates, "_END", dates._END - 1),
        ("VALIDATION", normalizing, "_cents", _tenths_as_hundredths),
        ("VALIDATION", normalizing, "_cents", _any_currency),
        ("VALIDATION", normalizing, "_seconds_between", _to_the_second),
        ("VALIDATION", decoding, "MAX_DEPTH", decoding.MAX_DEPTH + 1),
        ("VALIDATION", events, "FUTURE_MARGIN_MICROS", events.FUTURE_MARGIN_MICROS - 1),
        ("VALIDATION", events, "partition_of", lambda customer_id, partitions: len(customer_id) % partitions),
    ],
)
def test_a_change_of_meaning_is_refused_under_the_old_name(
    monkeypatch: pytest.MonkeyPatch, constant: str, module: object, name: str, mutant: object
) -> None:
    monkeypatch.setattr(module, name, mutant)

    found = guard.findings(guard.recorded(), guard.logic() if constant == "LOGIC" else guard.validation(Rules("USD")))

    assert found
    for finding in found:
        assert finding.refused
        assert f"the meaning changed under the old name. Undo that, or raise {constant} in" in finding.text
        assert "record the new name with `python -m tests.golden`" in finding.text


class _Reworded(RejectedRecord):
    """A rejection whose rule is in other words."""

    def __init__(self, field: str, value: object, _: str) -> None:
        super().__init__(field, value, "other words")


def test_another_wording_or_docstring_changes_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (events, decoding, normalizing, rejection):
        monkeypatch.setattr(module, "RejectedRecord", _Reworded)
    monkeypatch.setattr(dates, "DATE_RULE", "a date as people write it")
    monkeypatch.setattr(rejection, "_description", lambda path, text: "other words")
    monkeypatch.setattr(facts.decide, "__doc__", "Other words.")

    assert guard.findings(guard.recorded(), guard.measured()) == []


NOW = {"LOGIC": {"2": {"a": Digests("corpus a", "outcome a"), "b": Digests("corpus b", "outcome b")}}}
Change = Callable[[dict[str, Digests]], object]


def _kept(path: Path, change: Change) -> bytes:
    """Records NOW as `change` had it before, beside an older name."""
    before = dict(NOW["LOGIC"]["2"])
    change(before)
    path.write_bytes(msgspec.json.encode({"LOGIC": {"1": {"z": Digests("old", "old")}, "2": before}}))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kept: kept.update(a=Digests("corpus a", "other")), "the meaning changed under the old name"),
        (lambda kept: kept.update(a=Digests("other", "outcome a")), "the corpus changed"),
        (lambda kept: kept.update(a=Digests("other", "other")), "the corpus changed"),
        (lambda kept: kept.update(c=Digests("corpus c", "outcome c")), "the corpus changed"),
    ],
)
def test_what_is_recorded_under_a_name_is_never_overwritten(tmp_path: Path, change: Change, message: str) -> None:
    path = tmp_path / "recorded.json"
    kept = _kept(path, change)

    [refusal] = guard.record(path, now=NOW)

    assert message in refusal
    assert path.read_bytes() == kept


def test_a_new_section_is_demanded_and_recorded_beside_what_the_name_has(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    _kept(path, lambda kept: kept.pop("b"))

    [finding] = guard.findings(guard.recorded(path), NOW)
    refusals = guard.record(path, now=NOW)

    assert "section 'b' of LOGIC '2' is not recorded: record it with `python -m tests.golden`" in finding.text
    assert refusals == []
    assert guard.recorded(path)["LOGIC"]["2"] == NOW["LOGIC"]["2"]


def test_a_new_name_is_demanded_and_recorded_and_judges_nothing_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    old = {"LOGIC": {"1": {"a": Digests("corpus a", "old outcome"), "z": Digests("old", "old")}}}
    path.write_bytes(msgspec.json.encode(old))

    [finding] = guard.findings(guard.recorded(path), NOW)
    refusals = guard.record(path, now=NOW)

    assert finding.text == "LOGIC '2' is not recorded: record it with `python -m tests.golden`"
    assert refusals == []
    assert guard.recorded(path) == {"LOGIC": old["LOGIC"] | NOW["LOGIC"]}
    assert guard.findings(guard.recorded(path), NOW) == []
