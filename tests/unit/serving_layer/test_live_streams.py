"""R14: what a stream gives is each delta once, in the order of its partition, or a gap that names what is missing."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.log.position import Position
from common.settings import LiveSettings
from serving_layer.live.catch_up import CatchUp, Missing
from serving_layer.live.fanout import Fanout
from serving_layer.live.feed import Feed
from serving_layer.live.hub import Hub
from serving_layer.live.streams import Delta, Sent, Stream, Wish, vector_of
from tests.support.cycles import no_cycles
from tests.support.live_fakes import MemoryTopic, made

HEARTBEAT = 0.0005
EVERYTHING = Wish()


class SteppedHub(Hub):
    """A process whose feed reads when the test says so."""

    def __init__(self, topic: MemoryTopic, settings: LiveSettings, settle: int) -> None:
        super().__init__(topic, settings)
        self.stepped = Feed(topic, settings.recent, settle=settle)

    async def _started(self) -> Feed:
        return self.stepped

    def read_once(self) -> bool:
        """Whether there was something to read."""
        deltas = self.stepped._reading.deltas(0)
        for delta in deltas:
            self.stepped.fanout.publish(delta)
        return bool(deltas)

    def read_all(self) -> None:
        while self.read_once():
            pass


@dataclass
class Client:
    """Somebody who follows all deltas, over many connections; `id` is the last one that they got."""

    id: str | None = None
    begun: dict[int, int] = field(default_factory=dict)
    got: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    names: list[str] = field(default_factory=list)

    async def follow(self, hub: Hub, most: int, topic: MemoryTopic) -> None:
        """Takes at most so many events of a new connection, or all until nothing comes, and loses what is in flight."""
        async with AsyncExitStack() as stack:
            after = None if self.id is None else vector_of(self.id)
            opened = await stack.enter_async_context(hub.opened(EVERYTHING, after))
            events = await stack.enter_async_context(aclosing(opened.events(HEARTBEAT)))
            silent = 0
            async for sent in events:
                self._take(sent, topic)
                silent = silent + 1 if sent.name == "heartbeat" else 0
                most -= 1
                if most <= 0 or silent == 2:
                    return

    def _take(self, sent: Sent, topic: MemoryTopic) -> None:
        if self.id is None:
            self.begun = vector_of(sent.id)
        before, self.id = self.id, sent.id
        self.names.append(sent.name)
        if sent.name == "delta":
            data = msgspec.json.decode(sent.data)["data"]
            self.got[data["partition"]].append(data["offset"])
            assert vector_of(sent.id)[data["partition"]] == data["offset"] + 1
        elif sent.name == "gap":
            for each in msgspec.json.decode(sent.data)["missing"]:
                last = topic.ends[each["partition"]] - 1 if each["last"] is None else each["last"]
                self.missing[each["partition"]] |= set(range(each["first"], last + 1))
        if before is not None:
            old, new = vector_of(before), vector_of(sent.id)
            assert all(new[partition] >= offset for partition, offset in old.items()), "an id never goes back"

    def check(self, topic: MemoryTopic) -> None:
        """Everything since it began, once and in order; what is missing was named, and was not sent."""
        for partition in range(topic.count):
            published = {each.position.offset for each in topic.messages[partition]}
            due = {offset for offset in published if offset >= self.begun[partition]}
            got, missing = self.got[partition], self.missing[partition]
            assert got == sorted(set(got)), f"repeated or out of order: {got}"
            assert set(got) | missing >= due, f"lost: {due - set(got) - missing}"
            assert set(got) <= due
            assert not set(got) & missing


def operation(name: str, least: int, most: int) -> st.SearchStrategy[tuple[str, int, int]]:
    return st.tuples(st.just(name), st.integers(0, 1), st.integers(least, most))


OPERATIONS = st.lists(
    st.one_of(
        operation("publish", 1, 9),
        operation("publish", 1, 3),
        operation("read", 0, 0),
        operation("follow", 2, 6),
        operation("follow", 1000, 1000),
        operation("live", 1, 6),
        operation("repeat", 1, 6),
        operation("expire", 1, 9),
        operation("restart", 0, 0),
    ),
    min_size=8,
    max_size=40,
)


@dataclass
class World:
    """A topic, two processes that read at their own pace and restart, and a client who is cut off and resumes."""

    topic: MemoryTopic
    settings: LiveSettings
    hubs: list[SteppedHub] = field(default_factory=list)
    client: Client = field(default_factory=Client)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def new_process(self) -> SteppedHub:
        hub = SteppedHub(self.topic, self.settings, settle=8)
        await self.stack.enter_async_context(hub.running())
        return hub

    def publish(self, partition: int, count: int) -> None:
        """So many records that changed something; every third one is behind one that did not."""
        for number in range(count):
            self.topic.publish(partition, self.topic.ends[partition] + (number % 3 == 2))

    def repeat(self, partition: int, count: int) -> None:
        """A worker that was killed publishes again from its progress on, in order."""
        known = sorted({each.position.offset for each in self.topic.messages[partition]})
        for offset in known[-count:]:
            self.topic.publish(partition, offset)

    def expire(self, partition: int, count: int) -> None:
        """Retention takes nothing that a live process has not read."""
        self.read(0, 0)
        self.read(1, 0)
        self.topic.expire(partition, count)

    def read(self, which: int, _: int) -> None:
        self.hubs[which].read_all()

    async def follow(self, which: int, most: int) -> None:
        await self.client.follow(self.hubs[which], most, self.topic)

    async def live(self, which: int, count: int) -> None:
        """The client is connected while new records come; the other process has not read them."""
        following = asyncio.create_task(self.follow(which, 1000))
        for number in range(count):
            await asyncio.sleep(0)
            self.publish(number % 2, 1)
            self.hubs[which].read_once()
        self.read(which, 0)
        await following

    async def restart(self, which: int, _: int) -> None:
        self.hubs[which] = await self.new_process()

    async def finish(self) -> None:
        """Everything is read, by whatever number of connections that takes."""
        self.read(0, 0)
        before: str | None = ""
        while before != self.client.id:
            before = self.client.id
            await self.follow(0, 1000)


@settings(max_examples=max(80, settings().max_examples))
@given(operations=OPERATIONS, recent=st.integers(1, 6), queue=st.integers(1, 4), knows_times=st.booleans())
def test_r14_each_delta_comes_once_and_in_order_whatever_happens(
    operations: list[tuple[str, int, int]], recent: int, queue: int, knows_times: bool
) -> None:
    async def story() -> None:
        live = LiveSettings(recent=recent, queue=queue, catch_ups=1)
        world = World(MemoryTopic(2, knows_times=knows_times), live)
        async with world.stack:
            world.hubs = [await world.new_process(), await world.new_process()]
            await world.follow(0, 1)
            for name, which, amount in operations:
                done = getattr(world, name)(which, amount)
                if done is not None:
                    await done
            await world.finish()
            world.client.check(world.topic)

    asyncio.run(story())


def test_as_many_events_wait_as_are_allowed_and_the_next_one_ends_the_stream() -> None:
    """It names where to go on: before that one. What was there when the stream was resumed does not count."""
    stream = Stream(EVERYTHING, most=2)
    for offset in range(5):
        stream.offer(Delta(Position(0, offset), "ada", "order", "delta", "{}"), is_backlog=offset < 2)

    assert stream.ended is not None
    assert [sent.id for sent in iter(stream.take, None)] == ["0:1", "0:2", "0:3", "0:4"]
    assert stream.id == "0:4"


def test_an_id_does_not_go_back_at_a_process_that_is_slower() -> None:
    """The stream was opened at another one, which had followed more of partition 0."""
    fanout, stream = Fanout({0: 0, 1: 0}, most_recent=10), Stream(EVERYTHING, most=10)
    stream.jump({0: 9, 1: 0})
    fanout.join(stream)

    for position in ((1, 0), (0, 8), (0, 9), (1, 1)):
        fanout.publish(made(*position))

    assert [sent.id for sent in iter(stream.take, None)] == ["0:9,1:1", "0:10,1:1", "0:10,1:2"]


@pytest.mark.parametrize("learned", [None, 4])
def test_what_is_kept_begins_at_the_first_delta_that_was_kept(learned: int | None) -> None:
    """Whatever the topic had before, and whether or not some of that was looked at."""
    fanout = Fanout({0: None}, most_recent=2)
    if learned is not None:
        fanout.learn(Position(0, learned))
        assert [fanout.covers({0: offset}, [0]) for offset in (learned, learned + 1)] == [False, True]
    assert fanout.covers({0: 0}, [0], is_read=True) is (learned is None)

    floors = []
    for offset in (7, 8, 9):
        fanout.publish(made(0, offset))
        floors.append(next(below for below in range(20) if fanout.covers({0: below}, [0], is_read=True)))

    assert floors == ([7, 7, 8] if learned is None else [learned + 1, learned + 1, 8])


def test_what_is_too_much_to_read_again_is_a_gap_that_names_it() -> None:
    topic = MemoryTopic(2)
    for offset in range(10):
        topic.publish(0, offset)
    topic.publish(1, 0)
    catch_up = CatchUp(topic, {0: 2, 1: 0}, [0, 1], 6)

    part = catch_up.read(0)

    assert part.missing == [Missing(0, 2, 6)]
    assert [delta.position for delta in part.deltas] == [Position(0, 7), Position(0, 8), Position(0, 9), Position(1, 0)]


class Removing(MemoryTopic):
    """Kafka removes the topic's first messages while a stream is being resumed."""

    def starts(self, vector: Mapping[int, int]) -> Mapping[int, int]:
        self.expire(0, 6)
        return super().starts(vector)


def test_what_is_removed_while_a_stream_is_resumed_is_a_gap() -> None:
    """R14: it would be taken for what lies below the stream's vector."""
    topic = Removing(1)
    for offset in range(10):
        topic.publish(0, offset)
    catch_up = CatchUp(topic, {0: 2}, [0], 100)

    parts = [catch_up.read(0), catch_up.read(0)]

    assert parts[0].missing == [Missing(0, 2, 5)]
    assert [delta.position.offset for part in parts for delta in part.deltas] == [6, 7, 8, 9]


@pytest.mark.parametrize("text", ["", "0", "0:1,0:2", "0:-1", "a:1", "0:1,", "0:1;1:2", "9" * 40])
def test_another_text_is_no_vector(text: str) -> None:
    with pytest.raises(ValueError, match=r"PARTITION|once"):
        vector_of(text)


def test_no_event_leaves_anything_to_the_search_for_cycles() -> None:
    """Nor does a heartbeat, or a connection that comes and goes."""

    async def story() -> None:
        world = World(MemoryTopic(2), LiveSettings())
        async with world.stack:
            world.hubs = [await world.new_process(), await world.new_process()]
            for _ in range(3):
                await world.live(0, 5)
            with no_cycles(most=39):
                for _ in range(40):
                    await world.live(0, 5)
            assert world.client.names.count("delta") >= 200

    asyncio.run(story())
