"""What the gate sees of a master's new rows, without servers: against plain loops over the same records."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from batch_layer.gate import quarantine
from batch_layer.gate.examples import examples
from batch_layer.gate.figures import Counts, check, counted
from batch_layer.gate.frame import framed, kept
from batch_layer.gate.quarantine import Broken
from batch_layer.gate.rules import RowRule, Rules, SetRule
from batch_layer.gate.rules_file import load
from batch_layer.gate.shapes import observed
from batch_layer.gate_report import Severity
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import between
from common.algebra.cut import Cut
from common.errors import RejectedRecord, UsageError
from common.log.events import Event
from common.log.events import parse as parse_event
from common.log.shapes import Change, FieldShape, Source, What
from common.settings import BatchSettings, Settings
from infra.proof.oracle import RawRecord
from tests.support.builders import Log, Message, erasure, order, profile, random_log, record, refund, retraction
from tests.support.jobs import without_servers
from tests.support.masters import RULES, commit

pytestmark = [pytest.mark.spark, pytest.mark.slow]
PLACE = ("kafka_partition", "kafka_offset")


@pytest.fixture(params=["buckets", "one task"])
def job(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job with an empty master of 3 buckets, read as a large one is or as a small one, and no servers."""
    if request.param == "buckets":
        monkeypatch.setattr(master, "SMALL", 0)
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def rows_of(job: Job, records: Iterable[RawRecord]) -> tuple[DataFrame, Cut]:
    head = commit(job, list(records))
    return master.at_snapshot(job, head.snapshot), head.offsets


def judged(rows: DataFrame, since: Cut, cut: Cut, rules: Rules) -> Counts:
    """The counts as the gate takes them."""
    frame = framed(rows, since, cut, rules)
    check(frame, rules, "own.yaml")
    with kept(frame, rules) as once:
        return counted(once, rules)


def quarantined(job: Job, batch_id: int, rows: DataFrame, cut: Cut, rules: Rules) -> Counts:
    """The counts over all rows below the cut; those that break a rule are in quarantine."""
    with kept(framed(rows, Cut.zero(), cut, rules), rules) as once:
        counts = counted(once, rules)
        broken = [Broken(rule, counts.rows[rule.name].failing) for rule in rules.of_rows]
        quarantine.fill(job, batch_id, between(rows, Cut.zero(), cut), once, broken)
    return counts


def middle(records: list[RawRecord], cut: Cut) -> Cut:
    """A cut at half of each partition."""
    return Cut.of({partition: end // 2 for partition, end in cut.offsets.items()})


def valid(records: Iterable[RawRecord]) -> dict[tuple[int, int], Event]:
    found = {}
    for each in records:
        try:
            found[each.partition, each.offset] = parse_event(
                each.key,
                each.value,
                partition=each.partition,
                partition_count=4,
                appended_at=each.appended_at,
                rules=RULES,
            )
        except RejectedRecord:
            continue
    return found


def repeats(events: dict[tuple[int, int], Event]) -> set[tuple[int, int]]:
    seen: set[object] = set()
    again = set()
    for place, event in sorted(events.items()):
        if event.image is None:
            continue
        key = (event.customer_id, event.kind, event.entity_id, event.image.version, event.image.retracted)
        if key in seen:
            again.add(place)
        seen.add(key)
    return again


def order_statuses(events: dict[tuple[int, int], Event]) -> dict[tuple[int, int], str]:
    """The current status of each refund's order, by the refund's place."""
    current: dict[tuple[str, str], tuple[Any, str]] = {}
    for place, event in sorted(events.items()):
        if event.is_erasure:
            current = {key: value for key, value in current.items() if key[0] != event.customer_id}
        elif event.kind == "order":
            image = event.image
            assert image is not None
            rank = (image.version, image.retracted, place[1])
            status = "retracted" if image.retracted else image.payload.status  # type: ignore[union-attr]
            key = (event.customer_id, event.entity_id)
            if key not in current or current[key][0] < rank:
                current[key] = (rank, status)
    found = {}
    for place, event in events.items():
        if event.kind == "refund" and event.image is not None and not event.image.retracted:
            known = current.get((event.customer_id, event.image.payload.order_id))  # type: ignore[union-attr]
            if known is not None:
                found[place] = known[1]
    return found


@pytest.mark.parametrize(("seed", "is_first"), [(31, False), (32, True)])
def test_the_derived_columns_are_those_of_a_plain_loop(job: Job, seed: int, is_first: bool) -> None:
    """R4, R24: repeats across the cut, the current status of a refund's order, and every new row once."""
    records = random_log(seed, 600).records
    rows, cut = rows_of(job, records)
    since = Cut.zero() if is_first else middle(records, cut)
    new = {(each.partition, each.offset) for each in records if each.offset >= since[each.partition]}
    events = valid(records)

    found = framed(rows, since, cut, every_rule()).select(*PLACE, "repeated", "order_status").collect()

    assert Counter((row[0], row[1]) for row in found) == Counter(new)
    assert {(row[0], row[1]) for row in found if row["repeated"]} == repeats(events) & new
    statuses = {place: status for place, status in order_statuses(events).items() if place in new}
    assert {(row[0], row[1]): row["order_status"] for row in found if row["order_status"]} == statuses
    assert len(statuses) > 20
    assert len(repeats(events) & new) > 20


def test_an_age_is_in_full_years_at_the_append_time(job: Job) -> None:
    """The records are appended on 1 July 2024."""
    born = {
        "1990-07-01": 34,
        "1990-07-02": 33,
        "1874-06-30": 150,
        "1873-07-01": 151,
        "2024-07-02": -1,
        "2030-01-01": -6,
    }
    log = Log()
    log.append(*(profile(f"c{number}", birth_date=day) for number, day in enumerate(born)), order("ada"))
    rows, cut = rows_of(job, log.records)

    found = (
        framed(rows, Cut.zero(), cut, every_rule())
        .select("birth_date", "age_years")
        .where("kind = 'customer_profile'")
        .collect()
    )

    ages = {str(date(1970, 1, 1).fromordinal(719163 + row[0] // 86_400_000_000)): row[1] for row in found}
    assert ages == born


def every_rule() -> Rules:
    return load(Settings())


def test_the_releases_rules_find_what_each_is_about(job: Job) -> None:
    """One row each, and the sound ones in no rule."""
    log = Log()
    sound = [
        order("ada", "o1"),
        refund("ada", "r1"),
        profile("ada"),
        retraction(refund("ada", "r8", order_id="none"), "2024-06-30"),
    ]
    broken = {
        "amount_rejected": order("ada", "o2", total_amount="-1"),
        "enum_rejected": order("ada", "o3", status="lost"),
        "amount_zero": order("ada", "o4", total_amount="0.00"),
        "amount_huge": order("ada", "o5", total_amount="100000.00"),
        "date_in_future": order("ada", "o6", order_date="2024-07-03"),
        "profile_age": profile("bob", birth_date="1850-01-01"),
        "refund_of_cancelled": refund("ada", "r7", order_id="o7"),
        "refund_without_order": refund("ada", "r9", order_id="o9"),
    }
    log.append(*sound, order("ada", "o7", status="cancelled"))
    places = {name: log.append(message)[0] for name, message in broken.items()}
    rows, cut = rows_of(job, log.records)

    counts = quarantined(job, 7, rows, cut, every_rule())

    assert {name: counts.rows[name].failing for name in places} == dict.fromkeys(places, 1)
    assert (counts.records, counts.rows["refund_of_cancelled"].concerned) == (len(log.records), 4)
    assert counts.sets["rejected"] == pytest.approx(2 / len(log.records))
    copied = quarantine.rows_of(job.spark, job.settings, batch_id=7, rule=None, limit=100)
    for name, place in places.items():
        [row] = [row for row in copied if row.rule == name]
        assert (row.position, row.value) == ((place.partition, place.offset), place.value)
    rejected = next(row for row in copied if row.rule == "enum_rejected")
    assert (rejected.customer_id, rejected.kind) == (None, None)
    totals = {total.rule: total.rows for total in quarantine.totals(job.spark, job.settings, 100)}
    assert totals == Counter(row.rule for row in copied)
    assert set(rows.select(*PLACE).collect()) == {(r.partition, r.offset) for r in log.records}


def test_a_batch_that_is_judged_again_replaces_its_own_rows_only(job: Job) -> None:
    log = Log()
    log.append(*(order("ada", f"o{number}", total_amount=str(number % 2)) for number in range(10)))
    rows, cut = rows_of(job, log.records)
    rule = RowRule(name="zero", severity=Severity.WARN, says="none", where="amount = 0")

    for batch_id in (1, 2, 2, 1):
        quarantined(job, batch_id, rows, cut, Rules((rule,)))
    assert [(total.batch_id, total.rows) for total in quarantine.totals(job.spark, job.settings, 9)] == [(2, 5), (1, 5)]

    quarantine.fill(job, 2, rows, rows, [])
    assert [(total.batch_id, total.rows) for total in quarantine.totals(job.spark, job.settings, 9)] == [(1, 5)]
    assert len(quarantine.rows_of(job.spark, job.settings, batch_id=None, rule="zero", limit=3)) == 3


def test_of_very_many_failing_rows_the_first_are_copied_and_all_are_counted(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_ROWS", 3)
    log = Log()
    log.append(*(order(f"c{number}") for number in range(20)))
    rows, cut = rows_of(job, log.records)
    rules = Rules((RowRule(name="all", severity=Severity.WARN, says="all", where="TRUE"),))

    counts = quarantined(job, 1, rows, cut, rules)

    copied = [row.position for row in quarantine.rows_of(job.spark, job.settings, batch_id=1, rule="all", limit=100)]
    assert copied == sorted((record.partition, record.offset) for record in log.records)[:3]
    assert counts.rows["all"].failing == 20


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (RowRule(name="mine", severity=Severity.WARN, says="a", where="amuont = 0"), "amuont"),
        (RowRule(name="mine", severity=Severity.WARN, says="a", where="amount ="), "PARSE|syntax"),
        (RowRule(name="mine", severity=Severity.WARN, says="a", where="amount + 1"), "a condition"),
        (RowRule(name="mine", severity=Severity.WARN, says="a", where="TRUE", of="kind"), "'kind' is a string"),
        (SetRule(name="mine", severity=Severity.WARN, says="a", value="avg(kinds)", at_most=1), "kinds"),
        (
            SetRule(name="mine", severity=Severity.WARN, says="a", value="amount", at_most=1),
            "aggregate|AGGREGATE|GROUP",
        ),
    ],
)
def test_sql_that_does_not_fit_is_refused_by_the_name_of_its_rule(job: Job, rule: RowRule | SetRule, says: str) -> None:
    rows, cut = rows_of(job, Log().records)

    with pytest.raises(UsageError, match=says) as caught:
        judged(rows, Cut.zero(), cut, Rules((rule,)))
    assert (caught.value.field, caught.value.value) == ("own.yaml", "mine")


def test_without_a_new_record_nothing_fails_and_a_set_has_no_value(job: Job) -> None:
    log = random_log(33, 50)
    rows, cut = rows_of(job, log.records)

    counts = judged(rows, cut, cut, every_rule())

    assert (counts.records, counts.first_appended) == (0, None)
    assert {count.failing for count in counts.rows.values()} == {0}
    assert set(counts.sets.values()) == {None}
    assert observed(between(rows, cut, cut)).shapes == []


def test_shapes_are_counted_by_source_over_all_tasks_and_for_the_new_records_only(job: Job) -> None:
    log = Log()
    old = [order("ada", "o0", old="x")]
    shop = [order(f"c{number}", "o1", gift="x" if number % 2 else None) for number in range(40)]
    crm = [
        record("order.recorded", f"c{n}", "2024-06-01", {"customer_id": f"c{n}", "n": n}, source="crm") for n in (1, 2)
    ]
    log.append(*old)
    since = Cut.of(log.next_offsets)
    first = {each.partition: each.offset for each in reversed(log.append(*shop, *crm, erasure("ada")))}
    rows, cut = rows_of(job, log.records)

    by_source = {each.source: each for each in observed(between(rows, since, cut)).shapes}

    assert set(by_source) == {Source("order", "tests"), Source("order", "crm")}
    tests = by_source[Source("order", "tests")]
    assert tests.shape.records == 40
    assert tests.shape.fields["gift"] == FieldShape(40, 40, {"string": 20, "null": 20})
    assert "old" not in tests.shape.fields
    assert tests.first == f"0:{first[0]}"
    assert by_source[Source("order", "crm")].shape.fields["n"] == FieldShape(2, 2, {"number": 2})


def test_origins_are_counted_by_kind_over_all_tasks_valid_or_not_and_for_the_new_records_only(job: Job) -> None:
    log = Log()
    log.append(order("ada", "o0"))
    since = Cut.of(log.next_offsets)
    data = {"order_id": "o", "customer_id": "c", "order_date": "2024-06-01", "total_amount": "1.00"}
    of_file = [
        record(
            "order.recorded", f"c{n}", "2024-06-01", {**data, "customer_id": f"c{n}", **more}, source="file:///a.csv"
        )
        for n, more in enumerate([{"status": "completed", "updated_at": "2024-06-01"}] * 20 + [{"status": "lost"}] * 2)
    ]
    log.append(*of_file, erasure("ada"), retraction(order("ada", "o0")), Message(b"x", b"no json"))
    rows, cut = rows_of(job, log.records)

    found = observed(between(rows, since, cut)).origins

    assert {(each.origin, each.kind): each.records for each in found} == {
        ("file:///a.csv", "order"): 20,
        ("file:///a.csv", "rejected"): 2,
        ("tests", "customer"): 1,
        ("tests", "order"): 1,
        ("?", "rejected"): 1,
    }


def test_an_example_quotes_the_value_at_its_position(job: Job) -> None:
    log = Log()
    log.append(order("ada", gift="x"))
    [changed] = log.append(order("ada", "o2", gift=12.5))
    rows, _ = rows_of(job, log.records)
    place = f"{changed.partition}:{changed.offset}"
    source = Source("order", "tests")
    change = Change(What.CHANGED, source, "gift", ("string",), ("number",), 1, place)
    removed = Change(What.REMOVED, source, "gift", ("string",), (), 1, place)

    assert examples(rows, [change, removed]) == [f"{place} order.gift: 12.5"]
