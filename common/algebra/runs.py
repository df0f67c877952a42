"""Figures of batch runs that both their monitoring and the API's metrics give: duration and SLA. Pure."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

from common.algebra.dates import MICROS_PER_HOUR

LOOKED_AT: Final = 100
"""So many runs, the newest, are what figures over runs are about."""
_AFTERWARDS: Final = ("notify", "finish")
"""Steps that are not measured: a run is judged in the first of them."""


def duration_seconds(seconds: Mapping[str, float]) -> float | None:
    """Returns how long a run worked, from the seconds of its steps by name; None if none is known.

    The time between two attempts, in which nobody worked, does not count.
    """
    known = [each for step, each in seconds.items() if step not in _AFTERWARDS]
    return sum(known) if known else None


class Sla(NamedTuple):
    """How many publications followed another one, and how many of them came too late."""

    publications: int
    breaches: int

    @property
    def compliance(self) -> Fraction:
        """The share of publications that came in time; 1 where there is none yet."""
        return 1 - Fraction(self.breaches, self.publications or 1)


def sla_of(published_at: Iterable[int], limit_hours: float) -> Sla:
    """Returns the SLA over publications at these times, in any order (microseconds since the epoch, UTC).

    One that comes exactly `limit_hours` after the one before is in time.
    """
    gaps = [later - earlier for earlier, later in pairwise(sorted(published_at))]
    return Sla(len(gaps), sum(is_late(gap, limit_hours) for gap in gaps))


def is_late(gap_micros: int, limit_hours: float) -> bool:
    """Returns whether a publication so long after the one before breaks the SLA."""
    return gap_micros > Fraction(repr(limit_hours)) * MICROS_PER_HOUR
