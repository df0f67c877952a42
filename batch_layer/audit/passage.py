"""Waits until the speed layer has passed the new cut, and judges which partitions can be audited (R18)."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from batch_layer.job import Job
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.algebra.versions import versions_in
from common.progress import Progress
from common.servers.patience import patiently
from common.waiting import read_progress

POLL_SECONDS: Final = 0.5
ABANDONED_SECONDS: Final = 60.0
"""A speed layer without a heartbeat for so long is waited for no longer. A restart takes some twenty seconds."""
UNCERTAIN_SECONDS: Final = 1800.0
"""Without a heartbeat for so long, it is unknown which deltas have expired. A worker counts an hour early."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Where the speed layer stands before an audit, by partition."""

    passed: frozenset[int]
    """Everything below the new cut is applied, by the new batch's validation: the facts can be compared."""
    audited: frozenset[int]
    """Of those, the partitions whose deltas from the current cut on are alive: the answers can be compared."""
    reasons: tuple[str, ...]
    """Why the other partitions cannot be audited, each with its partitions and what to do."""


def awaited(job: Job, plan: Plan, cut: Cut, *, sleep: Callable[[float], None] = time.sleep) -> Passage:
    """Waits until every partition is applied below the plan's cut, at most `batch.audit_wait_seconds`; judges it then.

    `cut` is the current batch's. A partition that no worker reads is not waited for.
    """
    deadline = job.clock() + int(job.settings.batch.audit_wait_seconds * 1e6)
    while True:
        rows = read(job)
        now = job.clock()
        waiting = [
            partition for partition, end in plan.cut.offsets.items() if _is_coming(rows.get(partition), plan, end, now)
        ]
        if not waiting or now >= deadline:
            return judged(rows, plan, cut, now)
        sleep(POLL_SECONDS)


def read(job: Job) -> Mapping[int, Progress]:
    """Returns the progress rows by partition. Raises StoreUnavailable."""
    return patiently(lambda: read_progress(job.session), "reading the speed layer's progress")


def _is_coming(row: Progress | None, plan: Plan, end: int, now: int) -> bool:
    """Whether the partition is behind `end`, and a worker that lives may bring it there."""
    if row is None or row.next_offset >= end or _other_version(row, plan) is not None:
        return False
    silent = row.silent_seconds(now)
    return silent is not None and silent <= ABANDONED_SECONDS


def judged(
    rows: Mapping[int, Progress], plan: Plan, cut: Cut, now: int, *, uncertain_seconds: float = UNCERTAIN_SECONDS
) -> Passage:
    """Returns which partitions can be audited between `cut` and the plan's cut, by the progress rows at `now`. Pure."""
    behind: dict[int, str] = {}
    expired: dict[int, str] = {}
    for partition, end in plan.cut.offsets.items():
        row = rows.get(partition)
        if end == 0:
            continue
        if (why := _not_passed(row, plan, end)) is not None:
            behind[partition] = why
        elif (
            row is not None
            and cut[partition] < end
            and (why := _expired(row, cut[partition], now, uncertain_seconds)) is not None
        ):
            expired[partition] = why
    passed = frozenset(plan.cut.offsets) - behind.keys()
    return Passage(passed, passed - expired.keys(), tuple(_grouped({**behind, **expired}.items())))


def _not_passed(row: Progress | None, plan: Plan, end: int) -> str | None:
    if row is None:
        return "the speed layer never ran; `lambda360 speed run` starts it"
    other = _other_version(row, plan)
    if other is not None:
        return (
            f"the speed layer's facts were decided by validation {other}, this batch's by {plan.validation_version}; "
            "`lambda360 speed rebuild` makes them anew (R13)"
        )
    if row.next_offset < end:
        return f"the speed layer is at offset {row.next_offset}, and the new cut at {end}; let it catch up"
    return None


def _expired(row: Progress, cut: int, now: int, uncertain_seconds: float) -> str | None:
    if cut < row.from_offset:
        return (
            f"deltas below offset {row.from_offset} have expired, and the answers that are served need them from "
            f"{cut} on"
        )
    silent = row.silent_seconds(now)
    if silent is None or silent > uncertain_seconds:
        return "no worker has sent a heartbeat for long, so which deltas have expired is unknown; start the speed layer"
    return None


def _other_version(row: Progress, plan: Plan) -> str | None:
    versions = versions_in(row.validation_version)
    return None if versions == [plan.validation_version] else " and ".join(versions)


def _grouped(reasons: Iterable[tuple[int, str]]) -> Iterable[str]:
    partitions: dict[str, list[int]] = {}
    for partition, reason in reasons:
        partitions.setdefault(reason, []).append(partition)
    for reason, members in partitions.items():
        name = "partition" if len(members) == 1 else "partitions"
        yield f"{name} {', '.join(map(str, sorted(members)))}: {reason}"
