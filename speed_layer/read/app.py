"""The Faust application: it reads through our seam, and has one agent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import faust
import structlog
from faust import Stream
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP, ConsumerMessage, StreamT, TransportT

from common.errors import WorkerError
from common.settings import Settings
from speed_layer.apply.delivered import Bundle
from speed_layer.apply.lanes import Lanes
from speed_layer.read.seam import DAY_SECONDS, Reader, Thread

log = structlog.get_logger("speed_layer.reading")
HEARTBEAT_SECONDS: Final = 3.0
"""A member learns of a rebalance at its next heartbeat, so heartbeats are frequent even in a long session."""
LOOK_SECONDS: Final = 1.0
LOST_SECONDS: Final = 3.0
"""An assigned partition that has had no lane for longer than this is sought again."""


class Consumer(FaustConsumer):
    """Delivers bundles of records. The watchdog of this layer replaces Faust's."""

    transport: "Transport"

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, self.transport.reader, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Bundle) -> ConsumerMessage:
        message = super()._to_message(tp, record.records[-1].record)
        message.bundle = record  # type: ignore[attr-defined] # Faust carries it through unchanged
        return message

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Does nothing. Faust sees only the last offset of a bundle, and would keep the others as gaps for ever."""

    def _new_offset(self, tp: TP) -> int | None:
        """Returns the offset after the last bundle handed on. `Thread` commits our own progress instead."""
        handed_on = self._acked.pop(tp, ())
        self._acked_index.pop(tp, None)
        return max(handed_on) + 1 if handed_on else None

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drop what was cached first: another worker may apply the partitions from now on."""
        self.transport.reader.forget()
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Does nothing. Faust's check mistakes a transaction's markers at the log's end for a stuck stream."""


class Transport(FaustTransport):
    """Creates the consumer of this module."""

    Consumer = Consumer
    reader: Reader


class SpeedApp(faust.App):
    """A Faust app that reads through this seam."""

    reader: Reader

    @property
    def steady(self) -> bool:
        """Whether partitions are assigned and no rebalance is under way. Thread-safe."""
        made = cast("Consumer | None", self._consumer)  # the property would create one
        return not self.rebalancing and made is not None and made.can_resume_flow.is_set()

    @property
    def lost(self) -> BaseException | None:
        """Returns the error that ended this process's membership of the group, if one did."""
        return cast(Thread, cast(Consumer, self.consumer)._thread).lost()  # noqa: SLF001 # the seam

    async def wait_for_crash(self) -> None:
        """Return once Faust has crashed; `crash_reason` then holds the error."""
        await self._crashed.wait()

    def _new_transport(self) -> TransportT:
        transport = Transport(self.conf.broker_consumer, self)
        transport.reader = self.reader
        return transport


def make_app(
    settings: Settings, reader: Reader, step: Callable[[Bundle], Awaitable[None]], member: str | None = None
) -> SpeedApp:
    """Returns the app: one agent that hands bundles to `step`. Nothing of Faust that keeps state is in use."""
    session = settings.speed.session_timeout_seconds
    app = SpeedApp(
        settings.log.group,
        broker=";".join(f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")),
        datadir=str((settings.home / "faust").absolute()),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,  # there are no tables; with standbys Faust gives 3 workers of 4 partitions 2, 2 and 0
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=2**20,  # our own backlog bounds the memory; a full buffer here would stall
        stream_wait_empty=False,
        consumer_auto_offset_reset="none",
        consumer_group_instance_id=member,
        broker_max_poll_records=settings.speed.batch_records,
        broker_session_timeout=session,
        broker_heartbeat_interval=min(session / 4, HEARTBEAT_SECONDS),
        broker_rebalance_timeout=session,
        broker_request_timeout=max(90.0, session),
        broker_max_poll_interval=DAY_SECONDS,
    )
    app.reader = reader
    topic = app.topic(
        settings.log.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(topic, name="apply", concurrency=1)
    async def apply(stream: StreamT[Any]) -> None:
        async for event in cast("Stream[Any]", stream).events():
            await step(event.message.bundle)  # type: ignore[attr-defined] # put there by our `Consumer`

    return app


async def keep_membership(app: SpeedApp) -> None:
    """Return once the process is no longer a member of the group, or could not join it. The worker gets the error."""
    while (error := app.lost) is None:
        await asyncio.sleep(LOOK_SECONDS)
    app.reader.fail(WorkerError(f"the worker has lost its place in the group: {error!r}"))


async def keep_reading(app: SpeedApp, lanes: Lanes) -> None:
    """Watch for ever for an assigned partition without a lane, and seek it again.

    Its lane is missing if Faust gave up a seek that took too long, or if a record was out of sequence.
    """
    since: float | None = None
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now, consumer = asyncio.get_running_loop().time(), cast(Consumer, app.consumer)
        steady = app.steady
        lost = [tp.partition for tp in consumer.assignment() if lanes.get(tp.partition) is None]
        since = (since or now) if steady and lost else None
        if since is not None and now - since > LOST_SECONDS:
            log.warning("partitions_lost", action="seek", partitions=lost)
            since = None
            await consumer.perform_seek()
