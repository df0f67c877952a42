"""`lambda360 batch list` says of each batch what the pointer says."""

import re

import msgspec
import pytest

from batch_layer.gate_report import Finding, GateReport, Severity, Verdict, Window
from batch_layer.manifest import Manifest, Status, Step
from common.algebra import pointer
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.errors import ClaimLost, DriftFound, GateClosed, LogError, LogUnavailable, StoreUnavailable
from infra import cli
from infra.commands.batch_text import HEADINGS, lines, row_of, status_of


def manifest(batch_id: int, status: Status = Status.PUBLISHED, step: Step = Step.FINISH) -> Manifest:
    plan = Plan(77, Cut({0: 17, 1: 9}), "logic", "rules")
    return Manifest(
        batch_id=batch_id,
        slot="a",
        plan=plan,
        status=status,
        step=step,
        started_at=0,
        finished_at=1_700_000_000_000_000 if status is Status.PUBLISHED else None,
        rows=3,
        checksum="sum",
    )


def test_a_batch_is_what_the_pointer_says_of_it() -> None:
    kept = [Published(n, slot, manifest(n).plan, 1, 1, "sum") for n, slot in ((3, "a"), (4, "b"))]
    held = pointer.claim(Pointer(5, 4, tuple(kept), ()), manifest(6).plan)[0]
    statuses = {
        n: status_of(manifest(n, status), held)
        for n, status in (
            (6, Status.RUNNING),
            (5, Status.RUNNING),
            (4, Status.PUBLISHED),
            (3, Status.PUBLISHED),
            (2, Status.PUBLISHED),
        )
    }
    assert statuses == {6: "running at finish", 5: "abandoned", 4: "current", 3: "kept", 2: "replaced"}


def test_a_published_batch_whose_export_is_not_complete_shows_it() -> None:
    """R19: it is current all the same."""
    held = Pointer(last_batch_id=3, current=3, complete=(Published(3, "a", manifest(3).plan, 1, 1, "sum"),))

    assert status_of(manifest(3, Status.STOPPED, Step.EXPORT), held) == "current, stopped at export"
    assert status_of(manifest(3, Status.RUNNING, Step.EXPORT), held) == "current, running at export"
    assert status_of(manifest(3), held) == "current"


def test_a_line_of_the_list_names_slot_customers_snapshot_versions_and_cut() -> None:
    line = row_of(manifest(2), Pointer())
    assert len(line) == len(HEADINGS)
    assert line == ("2", "a", "replaced", "2023-11-14 22:13:20Z", "3", "77", "logic", "rules", "0:17,1:9")
    stopped = manifest(2, Status.STOPPED, Step.GATE)
    assert row_of(stopped, Pointer(last_batch_id=2))[2:4] == ("stopped at gate", "-")
    assert row_of(stopped, Pointer(last_batch_id=3))[2:4] == ("abandoned", "-")


def finding(rule: str, verdict: Verdict) -> Finding:
    return Finding(rule=rule, kind="row", severity=Severity.ERROR, verdict=verdict, text=f"figures of {rule}")


def test_a_run_shows_the_rules_that_did_not_pass_and_why_they_were_waived() -> None:
    findings = [finding(str(verdict), verdict) for verdict in Verdict if verdict is not Verdict.FAILED]
    report = GateReport(
        records=9,
        window=Window(0, 1),
        score=50.0,
        findings=tuple(findings),
        waived={"waived": "a sale"},
        approved=("removed:order.gift@shop",),
        quarantined=3,
    )

    shown = dict(lines(msgspec.structs.replace(manifest(2), gate=report), Pointer()))

    assert {name: text for name, text in shown.items() if name.startswith(("rule", "approved"))} == {
        "rule warned": "warned: figures of warned",
        "rule waived": "waived (a sale): figures of waived",
        "approved": "removed:order.gift@shop",
    }
    assert report.summary == "score 50 of 9 new records; waived: waived; warned: warned; 3 rows in quarantine"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GateClosed("a rule"), 3),
        (DriftFound("a customer"), 4),
        (ClaimLost("another run"), 5),
        (StoreUnavailable("Cassandra does not answer"), 6),
        (LogUnavailable("Kafka does not answer"), 6),
        (LogError("not the recorded log"), 7),
    ],
)
def test_a_batch_ends_with_the_code_that_says_whether_to_retry(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("common.servers.cassandra.connected", fail)

    assert cli.run(["batch", "list"]) == code
    assert f"error: {error}" in capsys.readouterr().err


def test_the_values_that_stopped_a_run_are_printed_beside_the_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise GateClosed("a rule", ["0:7 order.gift: 12.5"])

    monkeypatch.setattr("common.servers.cassandra.connected", fail)

    assert cli.run(["batch", "list"]) == 3
    assert capsys.readouterr().err == "error: a rule\nfor example 0:7 order.gift: 12.5\n"


def test_a_waiver_of_no_rule_is_a_usage_error_before_anything_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["batch", "run", "--waive", "volumes=a sale"]) == 2
    assert "there are: field_new, field_removed" in capsys.readouterr().err


def test_the_help_lists_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["batch", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(re.search(rf"^ +{code} ", printed, re.MULTILINE) for code in (0, 1, 2, 3, 4, 5, 6, 7, 130))
