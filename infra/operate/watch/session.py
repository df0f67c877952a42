"""Runs one `lambda360 watch`: finds the offsets to begin at, then shows events until the limit."""

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from common.log.copy_events import CopyEvent, DeltaEvent
from common.servers import kafka
from common.settings import Settings
from serving_layer.live.effects import Effect, Views
from serving_layer.live.follow import Follower, wanted
from serving_layer.live.positions import check_partitions, partitions_of, starts

POLL_SECONDS: Final = 0.5
KAFKA_SECONDS: Final = 5.0

Show = Callable[[CopyEvent, Effect | None], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """The events to show. Empty customers or kinds mean all of them."""

    customers: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    positions: Mapping[int, int] = field(default_factory=dict)
    """The offset in the log to begin at, by partition. Other partitions begin at their end."""
    from_beginning: bool = False
    alerts: bool = True
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """The offsets to read from, by topic and partition; events below `positions` in the log are not shown."""

    topics: Mapping[str, Mapping[int, int]]
    positions: Mapping[int, int]

    def holds(self, event: CopyEvent) -> bool:
        """Returns whether the event is at or above the first position of its partition."""
        return event.data.offset >= self.positions.get(event.data.partition, 0)


def begin(settings: Settings, wish: Wish) -> Begin:
    """Returns where the watch begins.

    Raises UsageError for a partition that does not exist, LogError if a topic is missing, and LogUnavailable if Kafka
    does not answer.
    """
    log = settings.log
    topic = kafka.topic_identity(settings, log.deltas_topic, timeout_seconds=KAFKA_SECONDS)
    check_partitions(wish.positions, topic.partitions)
    chosen = partitions_of(wish.customers, topic.partitions)
    found = {log.deltas_topic: starts(chosen, wish.positions, from_beginning=wish.from_beginning)}
    if wish.alerts:
        kafka.topic_identity(settings, log.alerts_topic, timeout_seconds=KAFKA_SECONDS)
        found[log.alerts_topic] = starts(chosen, wish.positions, from_beginning=wish.from_beginning)
    return Begin(found, wish.positions)


def watch(settings: Settings, wish: Wish, views: Views, show: Show, tell: Callable[[str], None]) -> None:
    """Shows each event that `wish` admits once, and returns after `limit` events.

    Calls `tell` when Kafka stops answering and when it answers again. Raises LogError for a message that it cannot
    read, and whatever `show` and `begin` raise.
    """
    left = wish.limit
    start = begin(settings, wish)
    with closing(Follower(settings, start.topics, tell)) as follower:
        while left is None or left > 0:
            polled = filter(start.holds, follower.poll(POLL_SECONDS))
            events = [event for event in polled if wanted(event, wish.customers, wish.kinds)]
            for event, effect in _with_effects(events[:left], views):
                show(event, effect)
                left = None if left is None else left - 1


def _with_effects(events: Collection[CopyEvent], views: Views) -> list[tuple[CopyEvent, Effect | None]]:
    effects = iter(views.effects([event for event in events if isinstance(event, DeltaEvent)]))
    return [(event, next(effects) if isinstance(event, DeltaEvent) else None) for event in events]
