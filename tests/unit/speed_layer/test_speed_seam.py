"""The names inside Faust and aiokafka that speed_layer/read/seam.py stands on: an upgrade that moves one fails here."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import faust
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Subscription, SubscriptionState, TopicPartitionState
from aiokafka.errors import OffsetOutOfRangeError
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP

from common.settings import Settings
from speed_layer.apply.lanes import Lanes, Start
from speed_layer.read import seam
from speed_layer.read.app import Consumer, SpeedApp, Transport, keep_membership, make_app
from tests.support.reader import Reader
from tests.support.speed_fakes import start


def app(tmp_path: Path) -> SpeedApp:
    async def step(events: object) -> None: ...

    return make_app(Settings(home=tmp_path), Reader(), step)


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type] # it is a function


def test_the_app_reads_through_the_seam(tmp_path: Path) -> None:
    made = app(tmp_path)
    transport = made.transport
    assert isinstance(transport, Transport)
    assert transport.Consumer is Consumer
    assert not made.in_transaction
    assert made.conf.consumer_auto_offset_reset == "none"
    assert not made.conf.topic_allow_declare
    assert [agent.concurrency for agent in made.agents.values()] == [1]


def test_faust_makes_its_transport_consumer_and_thread_where_the_seam_replaces_them() -> None:
    assert parameters(faust.App._new_transport) == ["self"]
    assert "self.Consumer(" in inspect.getsource(FaustTransport.create_consumer)
    assert parameters(FaustConsumer._new_consumer_thread) == ["self"]
    assert parameters(AIOKafkaConsumerThread._create_worker_consumer) == ["self", "transport"]


def test_the_isolation_level_is_read_when_the_consumer_starts_and_not_before() -> None:
    assert "isolation_level=self._isolation_level" in inspect.getsource(AIOKafkaConsumer.start)


def test_every_assignment_seeks_before_its_records_flow() -> None:
    source = inspect.getsource(Recovery._resume_streams)
    assert source.index("perform_seek()") < source.index("resume_flow()")
    assert "self.seek_to_committed()" in inspect.getsource(BaseConsumer.perform_seek)
    assert "self._thread.seek_to_committed()" in inspect.getsource(FaustConsumer.seek_to_committed)


def test_the_thread_fetches_through_fetch_records_and_hears_of_every_rebalance() -> None:
    names = ["self", "consumer", "active_partitions", "timeout", "max_records"]
    assert parameters(AIOKafkaConsumerThread._fetch_records) == names
    assert "self._fetch_records" in inspect.getsource(AIOKafkaConsumerThread.getmany)
    assert parameters(AIOKafkaConsumerThread._commit) == ["self", "offsets"]
    assert parameters(AIOKafkaConsumerThread.on_partitions_revoked) == ["self", "revoked"]
    assert parameters(AIOKafkaConsumerThread.on_partitions_assigned) == ["self", "assigned", "generation_id"]
    assert "on_partitions_revoked(revoked)" in inspect.getsource(GroupCoordinator._on_join_prepare)


def test_nothing_is_awaited_between_the_fetch_of_records_and_their_links() -> None:
    """A seek in between would give records of the old position to the new lane."""
    source = inspect.getsource(Fetcher.fetched_records)
    assert "res_or_error.getall(max_records)" in source
    assert "await" not in source[source.index("drained = {}") : source.index("if drained or not timeout:")]
    base = inspect.getsource(AIOKafkaConsumerThread._fetch_records)
    assert "await" not in base[base.index("fetcher.fetched_records") :]
    ours = inspect.getsource(seam.Thread._fetch_records)
    assert "await" not in ours[ours.index("return self._link") :]
    assert not inspect.iscoroutinefunction(seam.Thread._link)


@pytest.mark.parametrize(("seconds", "come"), [(0.02, (seam.TOGETHER_BYTES, 20)), (0.0, seam.AT_ONCE)])
def test_kafka_holds_records_back_only_while_some_come(seconds: float, come: tuple[int, int]) -> None:
    """The first record after a silence is fetched at once, and what follows it together."""
    thread, fetcher = object.__new__(seam.Thread), SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=1500)
    thread.reader, consumer = Reader(), SimpleNamespace(_fetcher=fetcher)
    thread.reader.fetch_wait_seconds = seconds
    for have_come, asked in ((False, seam.AT_ONCE), (True, come), (True, come), (False, seam.AT_ONCE)):
        thread._hold_back(consumer, have_come=have_come)
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == asked


def test_a_fetch_is_asked_for_with_what_the_seam_chose_for_it() -> None:
    asked = inspect.getsource(Fetcher._get_actions_per_node)
    assert "self._fetch_max_wait_ms," in asked
    assert "self._fetch_min_bytes," in asked
    assert "_fetch_m" not in inspect.getsource(Fetcher._proc_fetch_request)


def test_of_what_was_fetched_together_one_bundle_says_that_it_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, reader, lanes = object.__new__(seam.Thread), Reader(), Lanes()
    monkeypatch.setattr(reader, "lanes", lanes)
    thread.reader = reader
    monkeypatch.setattr(thread, "_sought", lambda _: SimpleNamespace(position=0), raising=False)
    partitions = {TP("log", number) for number in range(4)}
    for tp in partitions:
        lanes.open(tp.partition, start(0))
    record = ConsumerRecord("log", 0, 0, 0, 0, b"key", b"{}", None, 3, 2, ())
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
    for some in ({TP("log", 2)}, {TP("log", 1), TP("log", 3)}, set[TP]()):
        found = thread._link(consumer, partitions, {tp: [record] for tp in some})
        assert found.keys() == some
        assert [bundle.is_last for [bundle] in found.values()] == [False] * (len(some) - 1) + [True] * bool(some)


def test_messages_are_made_and_watched_where_the_seam_replaces_it() -> None:
    assert parameters(FaustConsumer._to_message) == ["self", "tp", "record"]
    assert "self._to_message" in inspect.getsource(BaseConsumer.getmany)
    assert parameters(FaustConsumer.verify_event_path) == ["self", "now", "tp"]


def test_faust_keeps_nothing_of_what_was_handed_on() -> None:
    """R14: a message that stands for many offsets would leave one number for each of them in Faust, for ever."""
    tp, consumer = TP("log", 0), object.__new__(Consumer)
    consumer._gap, consumer._acked, consumer._acked_index = {}, defaultdict(list), defaultdict(set)
    consumer._committed_offset = {tp: 100}

    async def hand_on(last: int) -> None:
        await consumer._add_gap(tp, last - 199, last)
        consumer._acked[tp].append(last)
        consumer._acked_index[tp].add(last)

    for round_ in range(3):
        for bundle in range(10):
            asyncio.run(hand_on(300 + 2000 * round_ + 200 * bundle))
        assert consumer._new_offset(tp) == 300 + 2000 * round_ + 1800 + 1
        assert not any((consumer._gap, consumer._acked, consumer._acked_index))
    assert consumer._new_offset(tp) is None


def test_faust_asks_for_gaps_and_offsets_where_the_seam_answers() -> None:
    assert "self._add_gap(tp, r_offset + 1, offset)" in inspect.getsource(BaseConsumer._drain_messages)
    assert "self._new_offset(tp)" in inspect.getsource(BaseConsumer._filter_committable_offsets)
    assert "list(self._filter_tps_with_pending_acks(topics))" in inspect.getsource(BaseConsumer.force_commit)
    source = inspect.getsource(BaseConsumer.ack)
    assert "self._acked_index[tp]" in source
    assert "self._acked[tp]" in source


def test_a_seek_that_waits_long_does_not_reach_into_the_next_assignment() -> None:
    """R12: what the next one reads would be forgotten, with its lane left open."""
    sought: list[tuple[str, set[int]]] = []

    async def scene() -> None:
        thread, reader, first = object.__new__(seam.Thread), Reader(), asyncio.Event()
        thread.reader, thread._seeking, assigned = reader, asyncio.Lock(), {TP("log", 0), TP("log", 1)}

        async def starts(partitions: Iterable[int]) -> dict[int, Start]:
            sought.append(("ask", set(partitions)))
            if len(sought) == 1:
                await first.wait()
            return dict.fromkeys(partitions, start(7))

        async def call_thread(_: object, starts: Mapping[TP, int]) -> None:
            sought.append(("seek", {tp.partition for tp in starts}))

        with (
            patch.multiple(thread, assignment=lambda: assigned, call_thread=call_thread),
            patch.object(reader, "starts", starts),
        ):
            late = asyncio.create_task(thread.seek_to_committed())
            await asyncio.sleep(0)
            assigned = {TP("log", 0), TP("log", 2)}
            next_ = asyncio.create_task(thread.seek_to_committed())
            await asyncio.sleep(0)
            first.set()
            await asyncio.gather(late, next_)

    asyncio.run(scene())
    assert sought == [("ask", {0, 1}), ("seek", {0, 1}), ("ask", {0, 2}), ("seek", {0, 2})]


def test_a_place_in_the_group_that_is_lost_or_never_got_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka tells it only to whoever fetches, and nobody does before the first assignment."""
    told: list[BaseException] = []
    answers = iter((None, None, RuntimeError("the group has another protocol")))
    reader = SimpleNamespace(fail=told.append)
    monkeypatch.setattr("speed_layer.read.app.LOOK_SECONDS", 0)

    class App:
        def __init__(self) -> None:
            self.reader = reader

        @property
        def lost(self) -> BaseException | None:
            return next(answers)

    asyncio.run(keep_membership(cast(SpeedApp, App())))
    assert [str(error) for error in told] == [
        "the worker has lost its place in the group: RuntimeError('the group has another protocol')"
    ]


def test_an_app_that_has_not_begun_is_not_steady_and_makes_no_consumer_to_say_so(tmp_path: Path) -> None:
    """The metrics' thread may ask at any moment."""
    made = app(tmp_path)
    assert not made.steady
    assert made._consumer is None


def test_a_fetch_is_unpacked_where_batches_replaces_it() -> None:
    source = inspect.getsource(Fetcher._proc_fetch_request)
    assert "records = MemoryRecords(part_data[-1])" in source
    assert "partition_records = PartitionRecords(" in source
    assert "self._records_iterator = self._unpack_records()" in inspect.getsource(PartitionRecords.__init__)
    assert "records = self._records" in inspect.getsource(PartitionRecords._unpack_records)


def test_what_headers_hold_bounds_the_backlog_too() -> None:
    """R14: a record of nothing but headers is not small."""
    headers = tuple((f"name {number}", b"v" * 100) for number in range(1000))
    record = ConsumerRecord("log", 0, 0, 0, 0, b"key", None, None, 3, -1, headers)
    assert seam._size(record) > 1000 * (100 + seam.HEADER_BYTES)


def test_a_log_that_does_not_hold_what_comes_next_is_named_by_its_place() -> None:
    """R12: in words an operator can use."""
    error = OffsetOutOfRangeError({TopicPartition("log", 3): 17})
    assert "partition 3 at offset 17" in seam._why(error)


def test_a_partitions_state_is_a_new_object_in_each_assignment() -> None:
    assert isinstance(inspect.getattr_static(SubscriptionState, "subscription"), property)
    assert isinstance(inspect.getattr_static(Subscription, "assignment"), property)
    assert isinstance(inspect.getattr_static(TopicPartitionState, "position"), property)
    assert "Assignment(topic_partitions)" in inspect.getsource(Subscription._assign)
    assert "self._records = collections.OrderedDict()" in inspect.getsource(Fetcher.__init__)
