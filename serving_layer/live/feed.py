"""Follows the topic of deltas in a thread of its own, and hands what it holds to the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from common.errors import LogUnavailable
from serving_layer.live.fanout import Fanout
from serving_layer.live.streams import Delta
from serving_layer.live.topic import DeltaTopic, Extent, Reading

SETTLE: Final = 2_000
"""Messages of a partition by which a feed finds out where in the log the topic is.

A worker that lost a partition may still publish what it had in flight, which is less. So the greatest position among
them is the greatest of all before."""
POLL_SECONDS: Final = 0.2
TOGETHER: Final = 50
"""So many deltas are published before the streams are given time to send."""
BEGIN_SECONDS: Final = 30.0
"""How long a feed may take until it has read the end of the topic."""


class Feed:
    """One reading of the topic for all streams of a process, from shortly before its end on."""

    def __init__(
        self,
        topic: DeltaTopic,
        most_recent: int,
        *,
        settle: int = SETTLE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads the last messages of the topic; afterwards `fanout` is where the topic ends.

        Blocks. Raises LogUnavailable and LogError.
        """
        self.partitions = topic.partitions()
        extents = topic.extents(range(self.partitions))
        begin = {partition: max(each.first, each.end - 2 * settle) for partition, each in extents.items()}
        self._unsettled = {partition: settle for partition, offset in begin.items() if offset > 0}
        self.fanout = Fanout({p: None if p in self._unsettled else 0 for p in begin}, most_recent)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._reading: Reading = topic.read(begin)
        try:
            self._read_up_to(extents, monotonic)
        except BaseException:
            self._reading.close()
            raise

    @property
    def is_away(self) -> bool:
        """Whether Kafka does not answer; the feed goes on where it was once it does."""
        return self._reading.is_away

    def start(self, loop: asyncio.AbstractEventLoop, failed: Callable[[Exception], None]) -> None:
        """Publishes what comes from now on, on the loop. `failed` is called there if the topic cannot be followed."""
        self._thread = threading.Thread(target=self._follow, args=(loop, failed), name="deltas", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the reading. Blocks; the loop must be running."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _read_up_to(self, extents: Mapping[int, Extent], monotonic: Callable[[], float]) -> None:
        until = monotonic() + BEGIN_SECONDS
        while not all(self._reading.is_past(partition, each.end) for partition, each in extents.items()):
            if monotonic() > until:
                raise LogUnavailable(f"the end of the topic of deltas was not reached within {BEGIN_SECONDS:.0f} s")
            for delta in self._reading.deltas(POLL_SECONDS):
                self._settle_or_publish(delta)

    def _settle_or_publish(self, delta: Delta) -> None:
        partition = delta.position.partition
        if self._unsettled.get(partition, 0) > 0:
            self._unsettled[partition] -= 1
            self.fanout.learn(delta.position)
        else:
            self.fanout.publish(delta)

    def _follow(self, loop: asyncio.AbstractEventLoop, failed: Callable[[Exception], None]) -> None:
        try:
            while not self._stopping.is_set():
                deltas = self._reading.deltas(POLL_SECONDS)
                if deltas:
                    # Waiting for the loop bounds what lies between the two.
                    asyncio.run_coroutine_threadsafe(self._publish(deltas), loop).result()
        except Exception as error:  # a stream must not stand still in silence, whatever happened
            loop.call_soon_threadsafe(failed, error)
        finally:
            self._reading.close()

    async def _publish(self, deltas: Sequence[Delta]) -> None:
        for number, delta in enumerate(deltas):
            self.fanout.publish(delta)
            if number % TOGETHER == TOGETHER - 1:
                await asyncio.sleep(0)  # the streams send meanwhile
