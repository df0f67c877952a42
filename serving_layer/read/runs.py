"""Batch runs as the metrics need them: a few fields of a stored manifest, of this release or another one."""

import msgspec

from common.algebra.runs import duration_seconds


class Gate(msgspec.Struct, frozen=True):
    """What the quality gate found in a run."""

    records: int
    score: float
    """0 to 100."""


class Run(msgspec.Struct, frozen=True):
    """A run, as far as its manifest tells. Times are microseconds since the epoch, UTC."""

    batch_id: int
    status: str
    finished_at: int | None = None
    """When it was published."""
    rows: int | None = None
    """Customers in its view."""
    seconds: dict[str, float] = {}
    """How long each step took, by its name."""
    gate: Gate | None = None

    @property
    def is_published(self) -> bool:
        return self.status == "published"

    @property
    def records(self) -> int | None:
        """How many records were new to it."""
        return None if self.gate is None else self.gate.records

    @property
    def score(self) -> float | None:
        """The quality gate's score of them, 0 to 100."""
        return None if self.gate is None else self.gate.score

    @property
    def duration_seconds(self) -> float | None:
        return duration_seconds(self.seconds)


def decode(text: str) -> Run | None:
    """Returns the run of a stored manifest; None for one that has other fields, which a newer release wrote."""
    try:
        return _RUN.decode(text)
    except msgspec.DecodeError:
        return None


_RUN: msgspec.json.Decoder[Run] = msgspec.json.Decoder(Run)
