"""The port to what serving reads of Kafka for one request: where old records came from, and the alerts of everybody."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from common.algebra.facts import Origin
from common.log.copy_events import AlertEvent
from common.log.position import Position


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """Alerts of everybody, the one that was published last first, and where the next page begins."""

    events: Sequence[AlertEvent]
    rest: Mapping[int, int] | None
    """By partition of the topic: the offset below which the next page begins; None at the end."""


class Topics(Protocol):
    """What a request may read of Kafka: a bounded number of messages, in a bounded time."""

    async def origins(self, positions: Collection[Position]) -> Mapping[Position, Origin]:
        """Returns where the records at these positions of the log came from.

        A record that Kafka does not give in time, that is gone, or whose envelope names no source, is absent.
        """

    async def alerts(self, day: date | None, below: Mapping[int, int] | None, most: int) -> AlertsPage:
        """Returns at most so many alerts that were published on `day` (UTC), or ever where that is None.

        They lie below the offsets `below`, by partition of the topic. A page may have fewer events than `most`, or
        none, and still not be the last. An alert that was published twice may be here twice. Raises LogUnavailable.
        """
