"""A job: what the steps of one run work with, and the reports of each step. Knows no step."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cassandra.cluster import Session
from pyspark.sql import SparkSession

from batch_layer.decisions import Decisions
from batch_layer.manifest import Manifest
from common.settings import Settings

Report = Callable[[str, str, float], None]
"""Called after each step, with its name, its figures as text and its seconds."""
Progress = Callable[[str, int, int], None]
"""Called now and then during a step, with its name, the records read so far, and how many there are about."""
Observe = Callable[[Manifest], None]
"""Called with a run's manifest whenever that changes, after it was stored; must not raise."""


def silent(step: str, done: int, total: int) -> None:
    """A `Progress` that drops what it is told."""


def unobserved(manifest: Manifest) -> None:
    """An `Observe` that drops what it is told."""


@dataclass(slots=True)
class Job:
    """What the steps of one run share; `clock` returns microseconds since the epoch (UTC)."""

    settings: Settings
    spark: SparkSession
    session: Session
    clock: Callable[[], int]
    report: Report
    progress: Progress = silent
    observe: Observe = unobserved
    decisions: Decisions = field(default_factory=Decisions)
    who: str = ""
    """The account and host that runs it, for the manifest and for others who want to run at the same time."""
    started_at: int = field(init=False)
    seconds: dict[str, float] = field(init=False, default_factory=dict)
    """How long each step took, by its name."""
    figures: dict[str, str] = field(init=False, default_factory=dict)
    """What each step reported, by its name."""
    _last: int = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = self.clock()
        self._last = self.started_at

    def done(self, step: str, figures: str) -> None:
        """Reports that `step` is done, and keeps its seconds, which count from the end of the step before."""
        now = self.clock()
        self.seconds[step] = (now - self._last) / 1e6
        self.figures[step] = figures
        self._last = now
        self.report(step, figures, self.seconds[step])
