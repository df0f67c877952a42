"""What earlier runs found, and what append time a run covers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from batch_layer import manifest
from batch_layer.gate import scores
from batch_layer.gate.figures import Counts
from batch_layer.gate_report import Rate, Window
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.cut import Cut
from common.algebra.pointer import Plan

_RUNS: Final = 100
"""How many published runs are looked at: enough for a median of runs that have a rate."""


@dataclass(frozen=True, slots=True)
class History:
    """The rates of published runs, the newest first, and where the append time of the batch before this one ends."""

    rates: Sequence[Rate]
    last_end: int | None
    """Microseconds since the epoch (UTC); None if no run ended at the cut in question."""


def history_of(job: Job, since: Cut, batch_id: int) -> History:
    """Returns the history of the runs before `batch_id`, of which one published the cut `since`."""
    runs = manifest.published_before(manifest.manifests(job.session), batch_id)
    kept = scores.past(job, [run.batch_id for run in runs[:_RUNS]])
    known = [run for run in runs if run.batch_id in kept]
    ends = [kept[run.batch_id].window.end for run in known if run.plan.cut == since]
    return History([kept[run.batch_id].rate for run in known], ends[0] if ends else None)


def window_of(job: Job, plan: Plan, counts: Counts, past: History) -> Window:
    """Returns the append time that the run covers: from the end of the batch before it, or its own first record.

    It ends where the snapshot was committed, if that holds nothing above the cut: a source that fell silent shows so.
    Else it ends with the last record. A repeated run covers the same time, since no clock is read.
    """
    last = counts.last_appended or 0
    commit = master.commit_of(job, plan.snapshot)
    end = max(last, commit.at) if commit.offsets == plan.cut else last
    begin = counts.first_appended if past.last_end is None else past.last_end
    return Window(min(end if begin is None else begin, end), end)
