"""What one run works with, and how it tells of its steps."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cassandra.cluster import Session
from pyspark.sql import SparkSession

from common.settings import Settings

Tell = Callable[[str, str, float], None]
"""Called after each step, with its name, its figures in words and its seconds."""


@dataclass(slots=True)
class Job:
    """The settings, the two engines, the clock (microseconds since the epoch, UTC) and the listener of a run."""

    settings: Settings
    spark: SparkSession
    session: Session
    clock: Callable[[], int]
    tell: Tell
    started_at: int = field(init=False)
    seconds: dict[str, float] = field(init=False, default_factory=dict)
    _last: int = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = self._last = self.clock()

    def done(self, step: str, figures: str) -> None:
        """A step is done: its seconds since the step before are kept, and it is told."""
        now = self.clock()
        self.seconds[step] = (now - self._last) / 1e6
        self._last = now
        self.tell(step, figures, self.seconds[step])
