"""The core of a worker, assembled: production and the simulation call this one function.

What lies outside comes in through `Outside`: a driver's session, a way to send, the questions to Kafka, clocks, chance.
Faust, signals and the end of a process are the business of `process.py`.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from cassandra.cluster import Session

from common.algebra.generation import generation_of
from common.algebra.pointer import Pointer
from common.algebra.versions import logic_version
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.servers.breaker import Breaker
from common.servers.cassandra import AsyncSession
from common.servers.log_identity import LogIdentity
from common.servers.off_loop import OffLoop
from common.servers.retry import Retry
from common.settings import Settings
from common.tables import Tables
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.cache import FactCache
from speed_layer.apply.lanes import Lanes
from speed_layer.apply.pipeline import Pipeline
from speed_layer.apply.worker import Ports, Terms, Worker
from speed_layer.progress.keeper import Keeper
from speed_layer.progress.log_watch import Watch
from speed_layer.progress.table import ProgressTable
from speed_layer.publish.copies import Copies
from speed_layer.publish.dead_letters import DeadLetters
from speed_layer.publish.publisher import Publisher, Send
from speed_layer.store.cassandra_store import CassandraFactStore
from speed_layer.store.letters import LetterTable

SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the core stands on. `clock` gives microseconds (UTC), `monotonic` seconds that never go back."""

    session: Session
    send: Send
    watch: Watch
    clock: Callable[[], int]
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """A number from 0 to 1, by which pauses differ."""
    off_loop: OffLoop = asyncio.to_thread
    """How what takes long is kept off the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A worker's parts. The seam opens and closes the lanes and fills the pipeline; the rest runs by itself."""

    lanes: Lanes
    cache: FactCache
    worker: Worker
    pipeline: Pipeline
    keeper: Keeper
    publisher: Publisher
    store_retry: Retry
    kafka_retry: Retry

    @property
    def paused(self) -> bool:
        """Whether a server is left alone: nothing more is fetched that would have to wait for it."""
        return self.store_retry.breaker.is_open or self.kafka_retry.breaker.is_open

    def forget(self) -> None:
        """Drop what was cached, and what waits for lanes that are closed: the partitions were assigned or revoked."""
        self.cache.clear()
        self.pipeline.forget()


def assemble(
    settings: Settings,
    recorded: LogIdentity,
    outside: Outside,
    pointer: Pointer,
    *,
    delta_ttl_seconds: int | None = None,
) -> Core:
    """The parts, wired, on the tables of the generation that `pointer` names. Nothing runs yet.

    A delta lives for `delta_ttl_seconds`; none means the setting's days.
    """
    speed = settings.speed
    generation = generation_of(pointer)
    rules = Rules(settings.log.currency)
    lanes = Lanes()
    cache = FactCache(speed.cache_customers, speed.cache_facts)
    store_retry = _retry(settings, "cassandra", outside)
    kafka_retry = _retry(settings, "kafka", outside)
    session = AsyncSession(outside.session, speed.in_flight)
    publisher = Publisher(outside.send, kafka_retry, outside.off_loop)
    ttl = speed.delta_ttl_days * SECONDS_PER_DAY if delta_ttl_seconds is None else delta_ttl_seconds
    ports = Ports(
        store=CassandraFactStore(session, store_retry, Tables(generation.number), ttl),
        cache=cache,
        lanes=lanes,
        messages_of=Copies(settings, publisher, logic_version()).messages,
        publish=publisher.publish,
        publish_rejected=DeadLetters(settings, LetterTable(session), store_retry, publisher).publish,
    )
    terms = Terms(
        topic=settings.log.topic,
        partitions=recorded.partitions,
        rules=rules,
        alerts=AlertSettings(speed.large_refund_cents),
    )
    worker = Worker(terms, ports)
    keeper = Keeper(
        settings=speed,
        table=ProgressTable(AsyncSession(outside.session, recorded.partitions), generation.number),
        written_since=generation.written_since,
        watch=outside.watch,
        lanes=lanes,
        store_retry=store_retry,
        kafka_retry=kafka_retry,
        validation_version=validation_version(rules),
        clock=outside.clock,
        monotonic=outside.monotonic,
    )
    return Core(
        lanes=lanes,
        cache=cache,
        worker=worker,
        pipeline=Pipeline(worker, lanes, speed.batch_records),
        keeper=keeper,
        publisher=publisher,
        store_retry=store_retry,
        kafka_retry=kafka_retry,
    )


def _retry(settings: Settings, server: str, outside: Outside) -> Retry:
    speed = settings.speed
    breaker = Breaker(server, speed.breaker_threshold, speed.breaker_recovery_seconds, outside.monotonic)
    return Retry(
        breaker,
        speed.retry_min_seconds,
        speed.retry_max_seconds,
        sleep=outside.sleep,
        jitter=outside.jitter,
        clock=outside.monotonic,
    )
