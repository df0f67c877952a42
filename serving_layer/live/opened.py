"""A stream that a request has opened, and the events that the request's client gets of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Final

import msgspec

from common.errors import Lambda360Error
from serving_layer.live.catch_up import CatchUp, Part
from serving_layer.live.feed import Feed
from serving_layer.live.streams import Sent, Stream, Wish

MakeCatchUp = Callable[[Mapping[int, int], Collection[int]], CatchUp]
"""Begins a catch-up from a vector on, in these partitions."""
READ_SECONDS: Final = 0.2
PASSES: Final = 10
"""How often a resumed stream reads on to the end of the topic, while the end moves away, before it is dropped."""


class Opened:
    """One stream of a process. It must be closed."""

    def __init__(self, feed: Feed, wish: Wish, partitions: Collection[int], most: int, catch_up: MakeCatchUp) -> None:
        """`partitions` are those in which deltas that are wished for can lie; at most `most` events wait."""
        self._feed = feed
        self._partitions = partitions
        self._make = catch_up
        self._has_more = asyncio.Event()
        self._known: Mapping[int, int] = {}
        """What the feed was past before the catch-up began: the catch-up reads all of that."""
        self._catch_up: CatchUp | None = None
        self.is_reading = False
        """Whether it reads from the topic by itself."""
        self.stream = Stream(wish, most, self._has_more.set)
        self._begun_at = self.stream.id

    def begin_now(self) -> None:
        """Gets what is published from now on."""
        self.stream.jump(self._feed.fanout.vector)
        self._begun_at = self.stream.id
        self._feed.fanout.join(self.stream)

    def resume(self, vector: Mapping[int, int]) -> bool:
        """Gets what lies at or above `vector`, if all of that is kept in memory. Returns whether it is."""
        self.stream.jump({**dict.fromkeys(self._feed.fanout.vector, 0), **vector})
        self._begun_at = self.stream.id
        return self._joined(is_read=False)

    async def read(self) -> None:
        """Gets what is not kept in memory from the topic. Raises LogUnavailable and LogError."""
        self.is_reading = True
        self._known = dict(self._feed.fanout.vector)
        self._catch_up = await asyncio.to_thread(self._make, self.stream.vector, self._partitions)

    async def close(self) -> None:
        """Gets nothing any more. Idempotent."""
        self._feed.fanout.leave(self.stream)
        await self._close_reading()

    async def events(self, heartbeat_seconds: float) -> AsyncGenerator[Sent]:
        """Yields the stream's events. Ends after the event `dropped`, whose id is where the client can resume.

        The first event is a `heartbeat`, so that a client knows from the beginning where it is.
        """
        yield self._heartbeat(self._begun_at)
        async for sent in self._caught_up():
            yield sent
        while True:
            self._has_more.clear()
            while sent_now := self.stream.take():
                yield sent_now
            if self.stream.ended is not None:
                yield Sent("dropped", self.stream.id, _json({"reason": self.stream.ended}))
                return
            if self.stream.is_empty and not await self._more_within(heartbeat_seconds):
                yield self._heartbeat(self.stream.id)

    async def _more_within(self, seconds: float) -> bool:
        """Returns whether something waits, or the stream has ended, before so many seconds have passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_more.wait()
        except TimeoutError:
            return self._has_more.is_set()
        return True

    async def _caught_up(self) -> AsyncIterator[Sent]:
        """Yields what is read from the topic. Afterwards the stream has joined the others, or has ended."""
        passes = 1
        while self._catch_up is not None and self.stream.ended is None:
            try:
                part = await asyncio.to_thread(self._catch_up.read, READ_SECONDS)
                for sent in self._sent(part):
                    yield sent
                if self._catch_up.is_done:
                    await self._go_on(passes)
                    passes += 1
            except Lambda360Error as error:
                self.stream.end(str(error))

    def _sent(self, part: Part) -> Iterator[Sent]:
        if part.missing:
            self.stream.jump({each.partition: each.last + 1 for each in part.missing if each.last is not None})
            yield Sent("gap", self.stream.id, _json({"missing": part.missing}))
        for delta in part.deltas:
            self.stream.offer(delta)
            if sent := self.stream.take():
                yield sent

    async def _go_on(self, passes: int) -> None:
        """Joins the others, or reads on if what was published meanwhile is kept no more."""
        await self._close_reading()
        self.stream.jump(self._known)
        if self._joined(is_read=True):
            return
        if passes < PASSES:
            await self.read()
        else:
            self.stream.end("more is published than the client reads")

    def _joined(self, *, is_read: bool) -> bool:
        if is_kept := self._feed.fanout.covers(self.stream.vector, self._partitions, is_read=is_read):
            self._feed.fanout.join(self.stream)
        return is_kept

    async def _close_reading(self) -> None:
        catch_up, self._catch_up, self.is_reading = self._catch_up, None, False
        if catch_up is not None:
            await asyncio.to_thread(catch_up.close)

    def _heartbeat(self, id_: str) -> Sent:
        return Sent("heartbeat", id_, _json({"following": not self._feed.is_away}))


def _json(data: object) -> str:
    return msgspec.json.encode(data).decode()
