"""Judges answers of an API of any release: exact and right, degraded for reasons that hold, or wrong."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cassandra.cluster import Session

from batch_layer.view import publish
from common.algebra.pointer import Plan
from common.progress import Progress
from common.waiting import read_progress
from tests.support.expected import Expected
from tests.support.release import Versions

_SLACK_SECONDS: Final = 5.0
_BATCH = r"(?:logic|validation)_version of batch (\d+) is (\S+), of this release (\S+)"
_SPEED = r"validation_version of the speed layer is (.+), of this release (\S+)"
_WIDTH = r"the customer's row of batch (\d+) (?:is of \d+ measures, this release has \d+|cannot be read: .*)"
_LATE = r"the speed layer is (?:silent for \d+ s|\d+ s behind), more than \d+ s"
_NEVER = r"the speed layer never ran in partition (\d+)"


@dataclass(frozen=True, slots=True)
class Seen:
    """What both layers' tables said at a moment, in microseconds since the epoch."""

    at: int
    plans: dict[int, Plan]
    progress: dict[int, Progress]

    @classmethod
    def now(cls, session: Session) -> "Seen":
        plans = {batch.batch_id: batch.plan for batch in publish.read(session).complete}
        return cls(time.time_ns() // 1000, plans, read_progress(session))


@dataclass
class Tally:
    """What an API answered. `wrong` are exact answers that are not the oracle's, and those of a reason that fails.

    An answer whose reasons are not about versions must be the oracle's, too: a late one is right at its offset.
    """

    asked: int = 0
    exact: int = 0
    degraded: int = 0
    wrong: int = 0
    why: Counter[str] = field(default_factory=Counter)
    first_wrong: dict[str, Any] | None = None

    @property
    def right(self) -> bool:
        """Whether there were answers, and all of them were exact and right."""
        return self.asked > 0 and self.exact == self.asked

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            asked=self.asked + other.asked,
            exact=self.exact + other.exact,
            degraded=self.degraded + other.degraded,
            wrong=self.wrong + other.wrong,
            why=self.why + other.why,
            first_wrong=self.first_wrong or other.first_wrong,
        )


@dataclass(frozen=True, slots=True)
class Court:
    """Where answers are judged: by the oracle, and by the tables as they were before and after the asking."""

    expected: Expected
    versions: Versions
    late_seconds: float
    """From how many seconds on the API calls the speed layer late."""
    moments: Sequence[Seen]

    def tally(self, entries: Iterable[dict[str, Any]]) -> Tally:
        """Returns the verdict on all entries."""
        found = Tally()
        for entry in entries:
            self._judge(found, entry)
        return found

    def _judge(self, found: Tally, entry: dict[str, Any]) -> None:
        found.asked += 1
        provenance = entry["provenance"]
        reasons: list[str] = provenance["reasons"]
        differs = self.expected.difference(entry)
        partition = provenance["log"]["partition"]
        failing = [reason for reason in reasons if not self.holds(reason, partition)]
        if failing or (differs and not any(map(_is_of_versions, reasons))):
            found.wrong += 1
            found.first_wrong = found.first_wrong or {"reasons that do not hold": failing, "difference": differs}
        elif reasons:
            found.degraded += 1
            found.why.update(re.sub(r"for \d+ s|\d+ s behind", "for some time", reason) for reason in reasons)
        else:
            found.exact += 1

    def holds(self, reason: str, partition: int) -> bool:
        """Whether the reason is true by the tables, before the asking or after it."""
        for pattern, check in _CHECKS.items():
            if match := re.fullmatch(pattern, reason):
                return any(check(self, seen, partition, *match.groups()) for seen in self.moments)
        return False


def _is_of_versions(reason: str) -> bool:
    return any(re.fullmatch(pattern, reason) for pattern in (_BATCH, _SPEED, _WIDTH))


def _batch_differs(court: Court, seen: Seen, _: int, batch: str, version: str, own: str) -> bool:
    plan = seen.plans.get(int(batch))
    if plan is None or version == own:
        return False
    return version in (plan.logic_version, plan.validation_version) and _is_own(court.versions, own)


def _speed_differs(court: Court, seen: Seen, partition: int, versions: str, own: str) -> bool:
    row = seen.progress.get(partition)
    named = "" if row is None else " and ".join(row.validation_version.split(","))
    return versions == named != own and _is_own(court.versions, own)


def _other_logic(court: Court, seen: Seen, _: int, batch: str) -> bool:
    plan = seen.plans.get(int(batch))
    return plan is not None and plan.logic_version != court.versions.logic


def _is_late(court: Court, seen: Seen, partition: int) -> bool:
    row = seen.progress.get(partition)
    if row is None:
        return False
    seconds = max(row.silent_seconds(seen.at) or 0.0, row.behind_seconds(seen.at) or 0.0)
    return seconds > court.late_seconds - _SLACK_SECONDS


def _never_ran(court: Court, seen: Seen, partition: int, named: str) -> bool:
    return int(named) == partition and partition not in seen.progress


def _is_own(versions: Versions, name: str) -> bool:
    return name == versions.logic or name.split(";", maxsplit=1)[0] == versions.validation


_CHECKS: Final[dict[str, Callable[..., bool]]] = {
    _BATCH: _batch_differs,
    _SPEED: _speed_differs,
    _WIDTH: _other_logic,
    _LATE: _is_late,
    _NEVER: _never_ran,
}
"""By the form of a reason what must be true for it to hold; a reason of any other form does not hold."""
