"""Opens and ends the streams of a process. It reads nothing of Kafka before the first stream is opened."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from common.errors import Lambda360Error
from common.log.partition import partition_of
from common.settings import LiveSettings
from serving_layer.live.catch_up import CatchUp
from serving_layer.live.feed import SETTLE, Feed
from serving_layer.live.opened import Opened
from serving_layer.live.streams import Wish
from serving_layer.live.topic import DeltaTopic

STOPS: Final = "the server stops"
log = structlog.get_logger(__name__)


class Busy(Lambda360Error):
    """No further stream can be opened now, but one can later."""


class BadVector(Lambda360Error):
    """A stream cannot be resumed at this vector, which is none of this log."""


class Hub:
    """All streams of a process. Every method is called on the event loop."""

    def __init__(self, topic: DeltaTopic, settings: LiveSettings, *, settle: int = SETTLE) -> None:
        self._topic = topic
        self._settings = settings
        self._settle = settle
        self._feed: Feed | None = None
        self._starting = asyncio.Lock()
        self._streams = 0
        self._opened: set[Opened] = set()
        self._is_ended = True

    def __len__(self) -> int:
        """The streams that are open, or are being opened."""
        return self._streams

    @asynccontextmanager
    async def opened(self, wish: Wish, after: Mapping[int, int] | None) -> AsyncIterator[Opened]:
        """Yields a stream from now on, or from the vector `after` on, and closes it.

        Raises Busy if there are too many, BadVector, LogUnavailable, and LogError without the topic.
        """
        if self._is_ended:
            raise Busy(STOPS)
        if self._streams >= self._settings.clients:
            raise Busy(f"this process has {self._streams} streams, as many as it may")
        self._streams += 1
        try:
            feed = await self._started()
            async with self._member(feed, wish) as opened:
                await self._begin(opened, feed, after)
                yield opened
        finally:
            self._streams -= 1

    def end(self) -> None:
        """Ends every stream, and opens none from now on."""
        self._is_ended = True
        for opened in self._opened:
            opened.stream.end(STOPS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Streams can be opened inside. At the end all of them end, and so does the reading."""
        self._is_ended = False
        try:
            yield
        finally:
            self.end()
            feed, self._feed = self._feed, None
            if feed is not None:
                await asyncio.to_thread(feed.stop)

    @asynccontextmanager
    async def _member(self, feed: Feed, wish: Wish) -> AsyncIterator[Opened]:
        customer = wish.customer
        partitions = range(feed.partitions) if customer is None else [partition_of(customer, feed.partitions)]
        opened = Opened(feed, wish, partitions, self._settings.queue, self._catch_up)
        self._opened.add(opened)
        try:
            yield opened
        finally:
            self._opened.discard(opened)
            await opened.close()

    async def _started(self) -> Feed:
        async with self._starting:
            if self._feed is None:
                feed = await asyncio.to_thread(Feed, self._topic, self._settings.recent, settle=self._settle)
                feed.start(asyncio.get_running_loop(), self._failed)
                self._feed = feed
            return self._feed

    def _failed(self, error: Exception) -> None:
        """Ends every stream, since the topic cannot be followed. The next one that is opened tries again."""
        log.error("deltas_not_followed", exc_info=error)
        self._feed = None
        for opened in self._opened:
            opened.stream.end(f"the topic of deltas cannot be followed: {error}")

    async def _begin(self, opened: Opened, feed: Feed, after: Mapping[int, int] | None) -> None:
        if after is None:
            opened.begin_now()
            return
        await self._check(after, feed)
        if opened.resume(after):
            return
        if sum(each.is_reading for each in self._opened) >= self._settings.catch_ups:
            raise Busy(f"{self._settings.catch_ups} streams read from Kafka at the moment, as many as may")
        await opened.read()

    def _catch_up(self, vector: Mapping[int, int], partitions: Collection[int]) -> CatchUp:
        return CatchUp(self._topic, vector, partitions, self._settings.catch_up_messages)

    async def _check(self, after: Mapping[int, int], feed: Feed) -> None:
        """Raises BadVector for a position that the log cannot have."""
        if any(partition >= feed.partitions for partition in after):
            raise BadVector(f"the log's partitions are 0 to {feed.partitions - 1}")
        known = feed.fanout.vector
        if any(offset > known[partition] for partition, offset in after.items()):
            ends = await asyncio.to_thread(self._topic.log_ends, feed.partitions)
            if any(offset > ends[partition] for partition, offset in after.items()):
                raise BadVector("a position is above the log's end: it is of another log")
