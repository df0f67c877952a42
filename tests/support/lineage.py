"""Runs in memory, for lineage: manifests as the batch layer stores them, and the events that they leave."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from batch_layer.gate_report import Finding, GateReport, OriginCount, Severity, Verdict, Window
from batch_layer.lineage.events import Deployment, due, encoded, event
from batch_layer.lineage.kept import Kept
from batch_layer.manifest import Manifest, Status, Step
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.settings import Settings

STARTED_AT: Final = 1_772_400_000_000_000
ZERO: Final = Cut.zero()
HOUR: Final = 3_600_000_000
FINDINGS: Final = (
    Finding(
        rule="nulls_amount",
        kind="nulls",
        severity=Severity.ERROR,
        verdict=Verdict.PASSED,
        measured=0.001,
        limit=0.01,
        failing=1,
        concerned=1000,
        text="order.total_amount is null or absent in 1 of 1,000 records; allowed is 1 %",
    ),
    Finding(
        rule="amount_huge",
        kind="row",
        severity=Severity.WARN,
        verdict=Verdict.WARNED,
        measured=0.5,
        limit=0.0,
        failing=2,
        concerned=4,
        text="2 of 4 records; allowed is 0 %",
    ),
    Finding(rule="volume", kind="volume", severity=Severity.ERROR, verdict=Verdict.UNJUDGED, text="too few runs"),
)


def deployment(home: Path = Path("var")) -> Deployment:
    return Deployment(Settings(home=home), "topic-id", spark="4.1.1")


def report(origins: Mapping[str, Mapping[str, int]], since: Cut = ZERO) -> GateReport:
    """What the gate found of records from these origins, by kind."""
    counts = tuple(OriginCount(name, kind, n) for name, kinds in origins.items() for kind, n in kinds.items())
    return GateReport(
        records=sum(each.records for each in counts),
        window=Window(0, HOUR),
        score=97.5,
        findings=FINDINGS,
        quarantined=2,
        since=since,
        origins=counts,
    )


def manifest(batch_id: int, status: Status = Status.PUBLISHED, **more: Any) -> Manifest:
    """The manifest of a run at its end; `more` overrides fields."""
    fields: dict[str, Any] = {
        "plan": Plan(1000 + batch_id, Cut.of({0: 100 * batch_id, 1: 10 * batch_id}), "logic-1", "validation-1"),
        "slot": "abc"[batch_id % 3],
        "step": Step.FINISH if status is Status.PUBLISHED else Step.AUDIT,
        "started_at": STARTED_AT + batch_id * 24 * HOUR,
        "finished_at": STARTED_AT + batch_id * 24 * HOUR + HOUR if status is Status.PUBLISHED else None,
        "rows": 42,
        "checksum": "cafe",
        "seconds": {"archive": 1.5},
        "gate": report({"file:///in/orders.csv": {"order": 3}}),
    }
    return Manifest(batch_id=batch_id, status=status, **{**fields, **more})


def keep(kept: Kept, *runs: Manifest) -> None:
    """The events that these manifests call for, one after another, are kept."""
    for run in runs:
        known = {(each.attempt, each.type) for each in kept.events(run.batch_id)}
        for attempt, state in due(run, known):
            kept.add(encoded(event(deployment(), run, attempt, state, run.started_at)))


def documents(kept: Kept, batch_id: int | None = None) -> list[dict[str, Any]]:
    """The kept events as JSON objects."""
    return [json.loads(line) for line in kept.lines(batch_id)]
