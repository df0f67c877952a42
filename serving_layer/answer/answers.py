"""From what was read to what is answered: merge, present, and say what it can be relied on for (R21, R22)."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from common.algebra.dates import MICROS_PER_DAY, date_of
from common.algebra.merge import Merged, merge
from common.algebra.metrics import METRICS, MetricValue, present
from common.algebra.pointer import cut_of
from common.algebra.profile import present_profile
from common.algebra.state import State
from common.log.partition import partition_of
from common.settings import Settings
from serving_layer.answer.provenance import Condition, Release, batch_info, condition
from serving_layer.read.cells import UnreadableCell, decoded, view_row
from serving_layer.read.reading import Reading, read
from serving_layer.read.store import StoreSource
from serving_layer.schemas.answers import BatchInfo, LogInfo, Provenance, SpeedInfo

_BREATH: Final = 50
"""Customers computed between two turns of the event loop, so that a large request does not hold up small ones."""
_METRIC_NAMES: Final = tuple(metric.name for metric in METRICS)
_UNREADABLE: Final = Merged(State({}), image=None, known=True, deltas=0, next_offset=0)


@dataclass(frozen=True, slots=True)
class Answer:
    """One customer's answer; an unknown customer has its provenance all the same."""

    customer_id: str
    known: bool
    metrics: dict[str, MetricValue]
    profile: dict[str, str | None] | None
    provenance: Provenance


class Answers:
    """Answers requests from the stored views; keeps nothing between two requests."""

    def __init__(self, source: StoreSource, settings: Settings, clock: Callable[[], int]) -> None:
        self._source, self._clock = source, clock
        self._limits, self._release = settings.serving, Release.of(settings)

    def today(self) -> date:
        """The clock's UTC day."""
        return date_of(self._clock() // MICROS_PER_DAY)

    async def of(self, customers: Sequence[str], as_of: date) -> list[Answer]:
        """The customers' answers in their order, repeats included, all from one pinned pointer.

        Raises StoreUnavailable if the store does not answer, or its slots are reused too fast to be read.
        """
        asked = dict.fromkeys(customers)
        reading = await read(self._source(), asked)
        conditions, batch = self._conditions(reading, asked), batch_info(reading.pin.pointer.published)
        answers: dict[str, Answer] = {}
        for count, customer in enumerate(asked, 1):
            answers[customer] = _answer(customer, as_of, reading, conditions, batch)
            if count % _BREATH == 0:
                await asyncio.sleep(0)
        return [answers[customer] for customer in customers]

    def _conditions(self, reading: Reading, customers: Iterable[str]) -> dict[int, Condition]:
        published, now = reading.pin.pointer.published, self._clock()
        partitions = {partition_of(customer, reading.pin.partitions) for customer in customers}
        return {
            partition: condition(
                partition,
                published,
                reading.progress.get(partition),
                release=self._release,
                limits=self._limits,
                now=now,
            )
            for partition in partitions
        }


def _answer(
    customer: str, as_of: date, reading: Reading, conditions: Mapping[int, Condition], batch: BatchInfo | None
) -> Answer:
    published = reading.pin.pointer.published
    partition = partition_of(customer, reading.pin.partitions)
    row, stands = reading.rows.get(customer), conditions[partition]
    reasons = list(stands.reasons)
    metrics: dict[str, MetricValue]
    try:
        deltas = decoded(reading.deltas.get(customer, ()))
        merged = merge(view_row(row), deltas, cut_of(published)[partition])
        metrics = present(merged.state, as_of, merged.profile)
    except UnreadableCell as error:
        reasons.append(str(error))
        merged, metrics = _UNREADABLE, dict.fromkeys(_METRIC_NAMES)
    provenance = Provenance(
        status="degraded" if reasons else "exact",
        reasons=reasons,
        batch=batch,
        speed=SpeedInfo(merged.deltas, stands.behind_records, stands.behind_seconds),
        log=LogInfo(partition, max(stands.complete_below, merged.next_offset)),
    )
    return Answer(customer, merged.known, metrics, present_profile(merged.profile), provenance)
