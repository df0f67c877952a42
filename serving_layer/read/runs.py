"""Batch runs as the metrics need them: a few fields of a stored manifest, of this release or another one."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from common.algebra.runs import duration_seconds

T = TypeVar("T")


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


def decoder_of(kind: type[T]) -> Callable[[str], T | None]:
    """Returns what decodes a stored manifest; it gives None for one of other fields, which a newer release wrote."""
    decoder = msgspec.json.Decoder(kind)

    def decode(text: str) -> T | None:
        try:
            return decoder.decode(text)
        except msgspec.DecodeError:
            return None

    return decode


decode = decoder_of(Run)
