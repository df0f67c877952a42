"""What `lambda360 speed status` says: each partition and worker, and everything that is not as it should be."""

import os
import subprocess

import msgspec

from infra.operate.workers.picture import PartitionStatus, Status, WorkerStatus
from infra.operate.workers.report import lines_of
from infra.operate.workers.status import rss_mib
from speed_layer.operate.vitals import PartitionVitals, Vitals

VITALS = Vitals(
    seat=0,
    pid=7,
    member="host-home-0",
    at=1,
    steady=True,
    paused=False,
    partitions=(PartitionVitals(1, 0, 5, 5, 0, 0.0, 0, 0, moved=True),),
    counts={},
    future_dated=0,
    alerts={},
    copied={},
    breakers={"cassandra": "closed", "kafka": "closed"},
    openings={},
    retries_waiting=0,
    cached_customers=0,
    beat_at=1,
    logic_version="v",
)
WELL = PartitionStatus(1, 0, 5, 5, 0, 0.0, 0.4, 0)


def worker(state: str = "alive", vitals: Vitals | None = VITALS) -> WorkerStatus:
    return WorkerStatus(0, 7, "host-home-0", state, 88.5, "http://127.0.0.1:9360", vitals)


def trouble(*workers: WorkerStatus, partition: PartitionStatus = WELL, away: dict[str, str] | None = None) -> list[str]:
    return Status(1, (partition,), workers, away or {}).trouble


def test_a_worker_that_reads_and_beats_is_no_trouble() -> None:
    assert trouble(worker()) == []


def test_a_dead_workers_record_is_no_trouble_while_its_partitions_beat() -> None:
    assert trouble(worker("dead", None)) == []


def test_a_silent_worker_an_open_circuit_a_pause_and_a_rebalance_are_trouble() -> None:
    assert trouble(worker("silent", None)) == ["worker 0 (pid 7) is alive and does not answer"]
    odd = msgspec.structs.replace(VITALS, breakers={"kafka": "open"}, paused=True, steady=False)
    told = trouble(worker(vitals=odd))
    assert [line.partition(")")[2].strip(" :") for line in told] == [
        "circuit of kafka is open",
        "has paused fetching",
        "waits for its partitions",
    ]


def test_a_partition_without_a_heartbeat_is_trouble_unless_cassandra_cannot_tell() -> None:
    silent = msgspec.structs.replace(WELL, heartbeat_seconds=None)
    assert "no heartbeat of partition 1" in trouble(partition=silent)[0]
    assert trouble(partition=silent, away={"cassandra": "refused"}) == ["cassandra does not answer: refused"]


def test_the_tables_name_every_partition_worker_and_trouble() -> None:
    unknown = PartitionStatus(2, None, None, None, None, None, None, None)
    text = list(lines_of(Status(1, (WELL, unknown), (worker(),), {"kafka": "refused"})))
    assert text[1].split() == ["1", "0", "5", "5", "0", "0.0", "0.4", "s", "ago", "0"]
    assert text[2].split() == ["2", *["-"] * 5, "never", "-"]
    assert text[5].split()[:5] == ["0", "7", "alive", "1", "yes"]
    assert text[-2] == "! kafka does not answer: refused"


def test_a_workers_memory_is_told_while_it_lives() -> None:
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()

    mine, of_nobody = rss_mib(os.getpid()), rss_mib(ended.pid)

    assert mine is not None
    assert 10 < mine < 10_000
    assert of_nobody is None
