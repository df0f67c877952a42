"""Exports days of the past again, from today's knowledge: the current batch's snapshot and cut (R6)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from batch_layer.export import warehouse
from batch_layer.export.presented import presented, states_of
from batch_layer.export.warehouse import Held
from batch_layer.job import Job
from batch_layer.view import publish
from common.algebra.dates import date_of, datetime_of
from common.algebra.pointer import Published
from common.errors import BatchError, UsageError

DAYS_AT_ONCE: Final = 7
"""Days of one pass over the states, and of one commit: a task holds one row group of each in memory."""
FIRST_DAY: Final = date_of(0)


@dataclass(frozen=True, slots=True)
class Days:
    """Days of a backfill, both ends included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range(len(self)))

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def check_day(option: str, day: date, now: int) -> None:
    """Raises UsageError unless the day can be exported: it is not before 1970, and not after the UTC day of `now`."""
    today = datetime_of(now).date()
    if not FIRST_DAY <= day <= today:
        raise UsageError(option, str(day), f"a day from {FIRST_DAY} to today, {today} (UTC)")


def checked(first: date, last: date, now: int) -> Days:
    """Returns the days from `first` to `last`. Raises UsageError, which names the option."""
    check_day("--from", first, now)
    check_day("--to", last, now)
    if first > last:
        raise UsageError("--from", str(first), f"not after --to, {last}")
    return Days(first, last)


def current_batch(job: Job) -> Published:
    """Returns the batch that readers use. Raises BatchError if there is none yet."""
    found = publish.read(job.session).published
    if found is None:
        raise BatchError("there is no batch yet; `lambda360 batch run` makes the first")
    return found


def backfill(job: Job, batch: Published, days: Days) -> None:
    """Replaces each of the days in the warehouse by what the batch knows of it; the job's report names them.

    A day is replaced whole, in one commit with at most `DAYS_AT_ONCE` others: killed in between, the days reported are
    done, and the same call does all of them again. Idempotent.
    """
    warehouse.ensure(job)
    states = states_of(job, batch)
    asked = list(days)
    for start in range(0, len(asked), DAYS_AT_ONCE):
        some = asked[start : start + DAYS_AT_ONCE]
        planned_from = warehouse.current(job)
        warehouse.replace(job, presented(states, batch, some), some, planned_from)
        job.done("backfill", f"{Days(some[0], some[-1])}: {batch.rows} customers a day, from batch {batch.batch_id}")


def held(job: Job, days: Days) -> Sequence[Held]:
    """Returns what the warehouse holds of the days now."""
    return warehouse.held(job, days.first, days.last)
