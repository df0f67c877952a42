"""A worker's metrics and vitals, taken from live objects at each scrape."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from common.errors import StoreUnavailable
from common.progress import Progress
from common.servers.breaker import Breaker
from common.servers.retry import Retry
from speed_layer.apply.cache import FactCache
from speed_layer.apply.lanes import Lanes
from speed_layer.operate.prometheus import WorkerCollector, endpoint
from speed_layer.operate.vitals import Gauge, Vitals, Watched
from tests.support.speed_fakes import start

NOW = 1_800_000_000_000_000


@dataclass
class FakeKeeper:
    latest: Mapping[int, Progress] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)
    beat_at: int = 0


@dataclass
class FakeWorker:
    counts: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    future_dated: int = 0


class Scene:
    """A worker made up of real lanes and circuits; `gauge` is what its endpoint reads."""

    def __init__(self) -> None:
        self.lanes, self.keeper, self.worker = Lanes(), FakeKeeper(), FakeWorker()
        self.copied: Counter[str] = Counter()
        self.retry = Retry(Breaker("cassandra", 1, 60.0), 0.1, 1.0)
        self.steady = True
        watched = Watched(
            self.lanes,
            self.keeper,
            self.worker,
            self.copied,
            (self.retry,),
            FactCache(10),
            steady=lambda: self.steady,
            paused=lambda: self.retry.breaker.is_open,
        )
        self.gauge = Gauge(watched, 2, "host-home-2", clock=lambda: NOW)
        self.registry = CollectorRegistry()
        self.registry.register(WorkerCollector(self.gauge))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"lambda360_speed_{name}", labels)

    def beat(self, partition: int, next_offset: int, end: int, caught_up_at: int = 0) -> None:
        self.keeper.latest = {partition: Progress(partition, 0, next_offset, end, "v", NOW, caught_up_at)}


def test_records_are_told_by_what_became_of_them() -> None:
    scene = Scene()
    scene.worker.counts.update(applied=3, dead=1)
    scene.worker.alerts.update(large_refund=2)
    scene.copied.update(customer_deltas=3)
    assert scene.value("records_total", outcome="applied") == 3
    assert scene.value("records_total", outcome="dead") == 1
    assert scene.value("alerts_total", rule="large_refund") == 2
    assert scene.value("published_total", topic="customer_deltas") == 3


def test_a_scrape_reads_the_live_objects() -> None:
    scene = Scene()
    lane = scene.lanes.open(1, start(10))
    scene.beat(1, 10, 14, caught_up_at=NOW - 2_000_000)
    lane.send([(10, 100), (11, 100), (12, 100)])
    assert scene.value("next_offset", partition="1") == 10
    assert scene.value("lag_records", partition="1") == 4
    assert scene.value("lag_seconds", partition="1") == 2.0
    assert scene.value("in_flight_records", partition="1") == 3
    assert scene.value("backlog_bytes", partition="1") == 300
    lane.advance(12, NOW)
    assert scene.value("next_offset", partition="1") == 12
    assert scene.value("lag_records", partition="1") == 2


def test_a_partition_with_nothing_left_is_zero_seconds_behind() -> None:
    scene = Scene()
    scene.lanes.open(0, start(5))
    scene.beat(0, 5, 5)
    assert scene.value("lag_seconds", partition="0") == 0.0


def test_a_lag_that_nobody_knows_yet_is_not_told_as_a_number() -> None:
    scene = Scene()
    scene.lanes.open(0, start(5))
    assert scene.value("lag_seconds", partition="0") is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_circuits_state_and_openings_are_told() -> None:
    scene = Scene()
    assert scene.value("circuit", server="cassandra", lambda360_speed_circuit="closed") == 1

    async def fail() -> None:
        raise StoreUnavailable("away")

    call = scene.retry.once(fail)
    with pytest.raises(StoreUnavailable):
        call.send(None)
    assert scene.value("circuit", server="cassandra", lambda360_speed_circuit="open") == 1
    assert scene.value("circuit", server="cassandra", lambda360_speed_circuit="closed") == 0
    assert scene.value("circuit_openings_total", server="cassandra") == 1
    assert scene.value("paused") == 1


def test_a_worker_is_settled_once_each_partition_moved_or_has_nothing_left() -> None:
    scene = Scene()
    lane = scene.lanes.open(0, start(5))
    assert not scene.gauge().settled
    scene.beat(0, 5, 9)
    assert not scene.gauge().settled
    lane.send([(5, 1)])
    lane.advance(6, NOW)
    assert scene.gauge().settled
    scene.steady = False
    assert not scene.gauge().settled


def test_the_endpoint_answers_both_and_takes_the_next_port_if_its_own_is_taken() -> None:
    scene = Scene()
    scene.worker.counts.update(applied=7)
    with endpoint(scene.gauge, 23_700) as port, endpoint(scene.gauge, port) as next_port:
        assert next_port > port
        text = httpx.get(f"http://127.0.0.1:{next_port}/metrics", trust_env=False).text
        assert 'lambda360_speed_records_total{outcome="applied"} 7.0' in text
        assert "process_resident_memory_bytes" in text
        body = httpx.get(f"http://127.0.0.1:{next_port}/vitals", trust_env=False).content
        assert msgspec.json.decode(body, type=Vitals).counts == {"applied": 7}


def test_no_port_means_no_endpoint() -> None:
    with endpoint(Scene().gauge, 0) as port:
        assert port == 0
