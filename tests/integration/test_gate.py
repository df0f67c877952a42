"""The gate on a master without servers: what stops a run, what lets it pass, and what is kept of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from pyspark.sql import Row, SparkSession

from batch_layer.decisions import Decisions
from batch_layer.gate import notify, scores
from batch_layer.gate.gate import gate
from batch_layer.gate_report import GateReport, Verdict
from batch_layer.job import Job
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.master import table as master
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.errors import GateClosed
from common.settings import BatchSettings, Settings
from infra.cli import lambda360
from tests.support.builders import Log, Message, order, profile
from tests.support.gate_memory import Kept
from tests.support.jobs import on_warehouse
from tests.support.masters import commit
from tests.support.residue import search

pytestmark = [pytest.mark.spark, pytest.mark.slow]
HOUR = 3_600_000_000
DAY = 24 * HOUR
NONE = Decisions()


class Runs:
    """Runs on one master: each archives some records, and judges them as a batch."""

    def __init__(self, job: Job, kept: Kept) -> None:
        self.job = job
        self.kept = kept
        self.log = Log()
        self.cut = Cut.zero()
        self.batch_id = 0
        self.plan = Plan(0, self.cut, "logic", "validation")

    def archive(self, *messages: Message) -> None:
        """The messages are in the master, and a batch begins."""
        head = commit(self.job, self.log.append(*messages))
        self.batch_id += 1
        self.plan = Plan(head.snapshot, head.offsets, "logic", "validation")

    def judge(self, decisions: Decisions = NONE) -> GateReport:
        """The report on what was archived since the last published run."""
        return gate(self.job, self.plan, self.cut, self.batch_id, decisions)

    def judge_by(self, rules: str) -> None:
        """The rules are these from now on."""
        path = self.job.settings.home / "own.yaml"
        path.write_text(rules)
        batch = self.job.settings.batch.model_copy(update={"rules_file": str(path)})
        self.job.settings = self.job.settings.model_copy(update={"batch": batch})

    def published(self) -> None:
        """The run is published."""
        run = Manifest(batch_id=self.batch_id, plan=self.plan, status=Status.PUBLISHED, step=Step.FINISH, started_at=0)
        self.kept.manifests.insert(0, run)
        self.cut = self.plan.cut

    def quality(self) -> list[Row]:
        return self.job.spark.table(scores.table(self.job.settings)).orderBy("batch_id", "rule").collect()


@pytest.fixture
def runs(spark: SparkSession, tmp_path: Path, kept_in_memory: Kept, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs without servers. Commands use the session of the tests, which they would stop."""
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3))

    @contextmanager
    def shared(of: Settings, jars: Path) -> Iterator[SparkSession]:
        yield on_warehouse(spark, of)

    monkeypatch.setattr("batch_layer.session.spark_session", shared)
    session = cast(Any, None)
    job = Job(settings, on_warehouse(spark, settings), session, clock=lambda: 5, report=lambda *_: None, who="ada@host")
    master.ensure(job)
    return Runs(job, kept_in_memory)


SHAPES = """
rules:
- {name: field_new, kind: shape, what: new, severity: warn, says: it is new}
- {name: field_removed, kind: shape, what: removed, severity: error, says: it is gone}
- {name: field_changed, kind: shape, what: changed, severity: error, says: it is of another type}
"""
VOLUMES = """
rules:
- {name: volume_low, kind: volume, at_least: 0.8, severity: warn, says: few came}
- {name: volume, kind: volume, at_least: 0.7, at_most: 1.3, severity: error, says: very few or very many came}
"""
"""The release's rules of shapes, and of volume, alone: the others take their time, run by run."""


def verdicts(report: GateReport) -> dict[str, Verdict]:
    return {found.rule: found.verdict for found in report.findings}


def orders(count: int, start: int = 0, **more: Any) -> list[Message]:
    return [order(f"c{number}", f"o{number}", **more) for number in range(start, start + count)]


def test_the_shape_that_the_first_run_saw_is_declared_and_changes_need_approval_by_name(runs: Runs) -> None:
    runs.judge_by(SHAPES)
    runs.archive(*orders(20, gift="x", note="y"))
    first = runs.judge()
    assert (first.changes, first.broken) == ((), ())
    runs.published()

    runs.archive(*orders(20, 20, gift="x", note="y", colour=1))
    report = runs.judge()
    assert (verdicts(report)["field_new"], report.broken) == (Verdict.WARNED, ())
    assert report.changes == (f"order.colour from tests is new (number), in 20 records, first 0:{runs.cut[0]}",)
    assert runs.judge() == report  # judged again, it is compared with the shape of before
    runs.published()

    runs.archive(*orders(20, 40, gift=1, colour=1))
    for _ in range(2):
        with pytest.raises(GateClosed) as caught:
            runs.judge()
        text = str(caught.value)
        assert "order.note from tests (string) is gone: none of 20 records has it" in text
        assert "--approve removed:order.note@tests" in text
        assert "order.gift from tests was string, and is number in 20 records" in text
        assert "--approve changed:order.gift:number@tests" in text
        assert "--waive field_changed=REASON" in text
        assert caught.value.examples == (f"0:{runs.cut[0]} order.gift: 1",)
    notices = (runs.job.settings.home / notify.FILE).read_text().splitlines()
    assert {json.loads(line)["name"] for line in notices} == {
        "removed:order.note@tests",
        "changed:order.gift:number@tests",
    }

    approved = Decisions(approved=frozenset({"removed:order.note@tests"}))
    with pytest.raises(GateClosed, match="field_changed") as caught:
        runs.judge(approved)
    assert "field_removed" not in str(caught.value)
    assert runs.kept.journal == []  # it has not passed

    both = Decisions(approved=approved.approved, waived={"field_changed": "a test of theirs"})
    report = runs.judge(both)
    assert (report.approved, report.waived) == (("removed:order.note@tests",), {"field_changed": "a test of theirs"})
    assert runs.judge(both) == report
    entries = {(entry.action, entry.what, entry.reason) for entry in runs.kept.journal}
    assert entries == {
        ("waive", "rule field_changed for batch 3", "a test of theirs"),
        ("approve", "removed:order.note@tests by batch 3", ""),
    }
    runs.published()

    runs.archive(*orders(20, 60, gift=1, colour=1))
    with pytest.raises(GateClosed) as caught:  # a waiver is for one run
        runs.judge()
    assert "removed" not in str(caught.value)
    changed = "changed:order.gift:number@tests"
    assert runs.judge(Decisions(approved=frozenset({changed}))).approved == (changed,)
    runs.published()
    runs.archive(*orders(20, 80, gift="x"), *orders(20, 100, gift=5, colour=1))
    assert runs.judge().changes == ()


def test_error_rules_stop_a_run_until_they_are_waived_and_the_rows_still_count(runs: Runs) -> None:
    bad = [order(f"c{number}", "o1", total_amount="-1") for number in range(5)]
    runs.archive(*orders(15), *bad, profile("eve", birth_date="1850-01-01"))

    with pytest.raises(GateClosed, match=r"(?s)rejected_many: .*--waive rejected_many=REASON") as caught:
        runs.judge()

    assert "amount_rejected" not in str(caught.value)  # a warning stops nothing
    kept = {row["rule"]: row for row in runs.quality()}
    assert kept["rejected_many"]["verdict"] == "failed"
    assert (kept["rejected_many"]["measured"], kept["rejected_many"]["allowed"]) == (pytest.approx(5 / 21), 0.1)
    assert (kept["amount_rejected"]["failing"], kept["amount_rejected"]["concerned"]) == (5, 21)
    assert kept["records"]["concerned"] == 21
    listed = CliRunner().invoke(lambda360, ["quarantine", "list", "--json"], obj=runs.job.settings)
    counts = {
        (total["batch_id"], total["rule"]): total["rows"] for total in map(json.loads, listed.output.splitlines())
    }
    assert counts[1, "amount_rejected"] == 5
    assert counts[1, "profile_age"] == 1

    report = runs.judge(Decisions(waived={"rejected_many": "known", "profile_ages": "a test account"}))

    assert report.waived == {"rejected_many": "known", "profile_ages": "a test account"}
    assert report.quarantined == sum(counts.values())
    again = [row for row in runs.quality() if row["rule"] == "rejected_many"]
    assert [row["verdict"] for row in again] == ["waived"]
    assert master.at_snapshot(runs.job, runs.plan.snapshot).count() == 21


def test_the_rate_of_records_is_judged_by_the_median_of_published_runs(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days of 24 hours; of the fourth the window ends a day after the third, though its records came in its morning."""
    runs.judge_by(VOLUMES)
    day = 0
    begin = 1_719_800_000_000_000

    def of_day(count: int) -> None:
        nonlocal day
        runs.log = Log(appended_at=begin + day * DAY)
        runs.log.next_offsets = dict(runs.cut.offsets or dict.fromkeys(range(4), 0))
        runs.archive(*orders(count, day * 1000))
        day += 1

    monkeypatch.setattr(master, "commit_of", lambda job, snapshot: master.Commit(begin + day * DAY, runs.plan.cut))
    found = []
    for count in (100, 90, 110, 81, 75, 126):
        of_day(count)
        if count == 126:
            with pytest.raises(GateClosed, match=r"are 140 % of 3\.8, the median of 5 runs") as caught:
                runs.judge()
            assert "--waive volume=REASON" in str(caught.value)
        report = runs.judge(Decisions(waived={"volume": "a sale"}))
        found.append((verdicts(report)["volume_low"], verdicts(report)["volume"]))
        runs.published()

    unjudged = (Verdict.UNJUDGED, Verdict.UNJUDGED)
    passed = (Verdict.PASSED, Verdict.PASSED)
    assert found == [
        unjudged,
        unjudged,
        unjudged,
        passed,
        (Verdict.WARNED, Verdict.PASSED),
        (Verdict.PASSED, Verdict.WAIVED),
    ]
    trend = [(row["batch_id"], row["concerned"]) for row in runs.quality() if row["rule"] == "records"]
    assert trend == list(enumerate((100, 90, 110, 81, 75, 126), start=1))
    assert all(0 <= row["measured"] <= 100 for row in runs.quality() if row["rule"] == "score")


def test_quarantine_shows_rows_of_a_batch_or_a_rule_with_their_positions(runs: Runs) -> None:
    runs.archive(*orders(3), *(order("ada", f"z{number}", total_amount="200000") for number in range(4)))
    runs.judge()
    settings = runs.job.settings

    def show(*arguments: str) -> list[str]:
        return CliRunner().invoke(lambda360, ["quarantine", "show", *arguments], obj=settings).output.splitlines()

    rows = [json.loads(line) for line in show("--rule", "amount_huge", "--batch", "1", "--json")]
    assert [row["entity_id"] for row in rows] == ["z0", "z1", "z2", "z3"]
    assert json.loads(rows[0]["value"])["data"]["total_amount"] == "200000"
    assert len(show("--limit", "2")) == 1 + 2 + 1
    assert "no such row" in show("--batch", "9")[0]


LARGE = """
rules:
- {name: large, kind: row, where: amount > 100, severity: warn, says: an amount is large}
"""


def test_r24_no_metadata_of_an_iceberg_table_holds_a_value_of_a_customer(runs: Runs) -> None:
    """Manifests list the bounds of columns, if nobody says otherwise, and outlive the rows that an erasure removes."""
    runs.judge_by(LARGE)
    runs.archive(order("zq-named", "zq-order", total_amount="7313.37"))
    assert runs.judge().quarantined == 1

    warehouse = Path(runs.job.settings.warehouse)
    tables = {path.parent.name for path in warehouse.glob("*/*/metadata")}
    held = search([warehouse], ["zq-named", "zq-order"])

    assert tables == {"events", "quarantine", "quality"}
    for files in held.values():
        assert any("/quarantine/data/" in file for file in files), "the search finds what is there"
        assert [file for file in files if "/metadata/" in file] == []
