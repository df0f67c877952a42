"""A log and its topic of deltas on the real Kafka, as the speed layer would leave them, and clients who follow."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import pairwise

from confluent_kafka import Producer, TopicPartition

from common.log.copies import Copy, delta_event
from common.log.position import Position
from common.servers import kafka
from common.servers.producer import producer as new_producer
from common.settings import Settings
from serving_layer.live.streams import vector_of
from tests.support.serving_fakes import delta, order
from tests.support.sse import Event, opened

PARTITIONS = 4
TIMEOUT = 60.0


@dataclass
class LiveLog:
    """Appends records to the log, and publishes their copies."""

    settings: Settings
    producer: Producer = field(init=False)
    ends: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    """By partition, the offset that the next record has."""

    def __post_init__(self) -> None:
        self.producer = new_producer(self.settings)

    def append(self, count: int) -> None:
        """So many records in every partition, each of which changes its customer."""
        for _ in range(count):
            for partition in range(PARTITIONS):
                self.producer.produce(self.settings.log.topic, key=b"c", value=b"{}", partition=partition)
                self._publish(partition, self.ends[partition])
                self.ends[partition] += 1
        assert self.producer.flush(TIMEOUT) == 0

    def repeat(self, partition: int, count: int) -> None:
        """The newest copies again, as a worker leaves them that was killed."""
        for offset in range(max(0, self.ends[partition] - count), self.ends[partition]):
            self._publish(partition, offset)
        assert self.producer.flush(TIMEOUT) == 0

    def expire(self, partition: int, messages: int) -> None:
        """The topic of deltas no longer holds its first messages."""
        client = kafka.admin(self.settings)
        place = TopicPartition(self.settings.log.deltas_topic, partition, messages)
        client.delete_records([place])[place].result(TIMEOUT)

    def _publish(self, partition: int, offset: int) -> None:
        body = delta_event(Copy(Position(partition, offset), f"c{offset % 7}", delta(order())), "v")
        self.producer.produce(self.settings.log.deltas_topic, key=b"c", value=body, partition=partition)
        self.producer.poll(0)


@dataclass
class Follower:
    """Somebody who follows all deltas; `id` is the last one that they got, over however many connections."""

    url: str
    id: str | None = None
    got: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: list[dict[str, int | None]] = field(default_factory=list)
    connections: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, ends: Sequence[int], most: int = 10**9) -> None:
        """Follows until the vector is at `ends`, or so many events have come; then the connection is broken off."""
        self.connections += 1
        headers = {} if self.id is None else {"Last_Event_ID": self.id}
        async with opened(self.url, **headers) as stream, aclosing(stream.events()) as events:
            async for event in events:
                self._take(event)
                self.ready.set()
                most -= 1
                if most <= 0 or all(at >= ends[partition] for partition, at in vector_of(event.id).items()):
                    return
        raise AssertionError("the server ended the stream")

    def _take(self, event: Event) -> None:
        self.id = event.id
        if event.name == "delta":
            data = event.data
            partition, offset = data["data"]["partition"], data["data"]["offset"]
            self.got[partition].append(offset)
        elif event.name == "gap":
            self.missing += event.data["missing"]
        else:
            assert event.name == "heartbeat", event

    def losses(self, begun: Sequence[int], ends: Sequence[int]) -> int:
        """Deltas that did not come."""
        return sum(len(set(range(begun[p], ends[p])) - set(self.got[p])) for p in range(PARTITIONS))

    def repeats(self) -> int:
        """Deltas that came twice, or out of order."""
        return sum(sum(later <= earlier for earlier, later in pairwise(got)) for got in self.got.values())


async def all_ready(followers: Iterable[Follower]) -> None:
    """Returns when each has its first event."""
    for each in followers:
        await asyncio.wait_for(each.ready.wait(), TIMEOUT)
