"""Static membership: what Faust and aiokafka do with it, and how the seam leaves a group or learns that it lost it."""

import asyncio
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.protocol.group import HeartbeatRequest, LeaveGroupRequest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from common.settings import Settings
from speed_layer.read import seam
from speed_layer.read.app import make_app
from tests.support.reader import Reader


def test_the_seats_member_id_reaches_aiokafka(tmp_path: Path) -> None:
    async def step(_: object) -> None: ...

    made = make_app(Settings(home=tmp_path), Reader(), step, "host-home-3")
    assert made.conf.consumer_group_instance_id == "host-home-3"
    source = inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)
    assert "group_instance_id=conf.consumer_group_instance_id" in source


def test_no_worker_is_idle_while_another_has_two_partitions(tmp_path: Path) -> None:
    """With standbys, of which we have none, Faust's own assignor gives three workers of four partitions 2, 2 and 0."""

    async def step(_: object) -> None: ...

    async def used() -> Any:
        made = make_app(Settings(home=tmp_path), Reader(), step)
        consumer = cast(Any, made.consumer)
        await consumer._thread._create_worker_consumer(consumer.transport).stop()
        consumer._thread.thread_loop.close()
        return consumer._thread._assignor

    assignor, cluster = asyncio.run(used()), SimpleNamespace(partitions_for_topic=lambda _: set(range(4)))
    assert assignor is RoundRobinPartitionAssignor  # which remembers nothing, so one round tells it all
    for workers in range(1, 7):
        members = {f"worker-{number}": assignor.metadata({"log"}) for number in range(workers)}
        assigned = assignor.assign(cluster, members).values()
        counts = [sum(len(partitions) for _, partitions in each.assignment) for each in assigned]
        assert sum(counts) == 4
        assert max(counts) - min(counts) <= 1


def test_aiokafka_lets_a_static_member_leave_only_if_it_looks_like_another() -> None:
    """Its requests name the member id alone, which the broker takes from a static member, too."""
    source = inspect.getsource(GroupCoordinator._maybe_leave_group)
    assert "self._group_instance_id is None" in source
    assert list(inspect.signature(LeaveGroupRequest).parameters) == ["group", "member_id"]
    assert "self._maybe_leave_group()" in inspect.getsource(GroupCoordinator.close)
    assert "self._consumer.stop()" in inspect.getsource(AIOKafkaConsumerThread.on_thread_stop)
    assert "self._coordinator.close()" in inspect.getsource(AIOKafkaConsumer.stop)


def test_an_evicted_members_heartbeat_fails_and_it_joins_anew() -> None:
    """A heartbeat names no instance: two members with one id would evict each other for ever. Seats forbid it."""
    assert list(inspect.signature(HeartbeatRequest).parameters) == ["group", "generation_id", "member_id"]
    assert "UnknownMemberIdError" in inspect.getsource(GroupCoordinator._do_heartbeat)


def stop(coordinator: SimpleNamespace, *, leaves: bool) -> None:
    """Stop the seam's thread, whose base does nothing here."""
    thread: Any = object.__new__(seam.Thread)
    thread.reader = SimpleNamespace(leaves=leaves)
    thread._consumer = SimpleNamespace(_coordinator=coordinator, stop=_nothing)
    thread._method_queue = SimpleNamespace(stop=_nothing)
    asyncio.run(thread.on_thread_stop())


async def _nothing() -> None: ...


def test_a_final_stop_leaves_the_group_and_a_restart_does_not() -> None:
    coordinator = SimpleNamespace(_group_instance_id="host-home-0")
    stop(coordinator, leaves=False)
    assert coordinator._group_instance_id == "host-home-0"
    stop(coordinator, leaves=True)
    assert coordinator._group_instance_id is None


def lost(**coordinator: object) -> BaseException | None:
    consumer = SimpleNamespace(_coordinator=SimpleNamespace(**coordinator))
    thread: Any = SimpleNamespace(_consumer=consumer, should_stop=False)
    return seam.Thread.lost(thread)


def test_an_end_of_the_membership_is_seen_even_while_nothing_is_fetched() -> None:
    """aiokafka tells its errors to whoever fetches; during a rebalance nobody does."""
    source = inspect.getsource(GroupCoordinator._push_error_to_user)
    assert "self._pending_exception = exc" in source
    assert "self._coordination_task = create_task(" in inspect.getsource(GroupCoordinator.__init__)

    async def scene() -> list[BaseException | None]:
        running = asyncio.ensure_future(asyncio.sleep(60))
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(KeyError("fenced"))
        found = [
            lost(_coordination_task=running, _pending_exception=None),
            lost(_coordination_task=running, _pending_exception=ValueError("fenced")),
            lost(_coordination_task=failed, _pending_exception=None),
        ]
        running.cancel()
        return found

    well, pending, ended = asyncio.run(scene())
    assert well is None
    assert isinstance(pending, ValueError)
    assert isinstance(ended, KeyError)
    assert seam.Thread.lost(SimpleNamespace(_consumer=None, should_stop=False)) is None  # type: ignore[arg-type] # a fake
