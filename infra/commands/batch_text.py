"""Batches as text: rows and details of runs, which `batch run`, `list` and `show` print."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from infra.context import time_text

if TYPE_CHECKING:
    from batch_layer.gate_report import GateReport
    from batch_layer.manifest import Manifest
    from common.algebra.pointer import Pointer

HEADINGS = ("batch", "slot", "status", "published", "customers", "snapshot", "logic", "validation", "cut")
TIMES = ("started_at", "finished_at")


def row_of(manifest: "Manifest", pointer: "Pointer") -> tuple[str, ...]:
    """Returns one row of the list."""
    plan = manifest.plan
    return (
        str(manifest.batch_id),
        manifest.slot or "-",
        status_of(manifest, pointer),
        "-" if manifest.finished_at is None else time_text(manifest.finished_at),
        "-" if manifest.rows is None else str(manifest.rows),
        str(plan.snapshot or "-"),
        plan.logic_version,
        plan.validation_version,
        cut_text(plan.cut.offsets),
    )


def details(manifest: "Manifest", pointer: "Pointer") -> dict[str, object]:
    """Returns a run for JSON: its manifest, with its status by the pointer, and times in ISO 8601 (UTC)."""
    found = msgspec.to_builtins(manifest)
    plan = found.pop("plan")
    customers = {"customers": found.pop("rows")}
    times = {name: found[name] and time_text(found[name]) for name in TIMES}
    return {
        **found,
        **customers,
        **plan,
        **times,
        "cut": cut_text(manifest.plan.cut.offsets),
        "status": status_of(manifest, pointer),
    }


def lines(manifest: "Manifest", pointer: "Pointer") -> list[tuple[str, str]]:
    """Returns the same for people, as names and values; each step has a line with its seconds and its figures."""
    found = details(manifest, pointer)
    by_step = {step: f"{seconds:.1f} s" for step, seconds in manifest.seconds.items()}
    steps = {step: f"{by_step.get(step, '')}  {text}".strip() for step, text in {**by_step, **manifest.figures}.items()}
    apart = ("seconds", "figures", "gate")
    plain = {name: value for name, value in found.items() if name not in apart and value is not None}
    shown = {name: value if isinstance(value, str | int) else json.dumps(value) for name, value in plain.items()}
    rules = {} if manifest.gate is None else dict(gate_lines(manifest.gate))
    return [(name, str(value)) for name, value in {**shown, **steps, **rules}.items() if value != ""]


def gate_lines(report: "GateReport") -> Iterator[tuple[str, str]]:
    """Yields each rule of the quality gate that did not pass, and each change of the data's shape."""
    for found in report.findings:
        if found.verdict not in ("passed", "unjudged"):
            waived = f" ({report.waived[found.rule]})" if found.rule in report.waived else ""
            yield f"rule {found.rule}", f"{found.verdict}{waived}: {found.text}"
    if report.approved:
        yield "approved", ", ".join(report.approved)


def status_of(manifest: "Manifest", pointer: "Pointer") -> str:
    """Returns the run's status by the pointer or, if that does not name its batch, by its manifest."""
    batch_id = manifest.batch_id
    left = f", {manifest.status} at {manifest.step}" if manifest.is_open else ""
    if batch_id == pointer.current:
        return f"current{left}"
    if any(kept.batch_id == batch_id for kept in pointer.complete):
        return f"kept{left}"
    if manifest.status == "published":
        return "replaced"
    later = batch_id < pointer.last_batch_id
    if later and all(held.batch_id != batch_id for held in pointer.claims):
        return "abandoned"
    return f"{manifest.status} at {manifest.step}"


def cut_text(offsets: dict[int, int]) -> str:
    """Returns a cut as one word: `0:17,1:9`."""
    from common.log.position import spelled

    return spelled(offsets) or "-"
