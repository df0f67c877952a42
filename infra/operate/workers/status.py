"""Reads the status of the speed layer from Cassandra, Kafka and each local worker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psutil

from common.errors import Lambda360Error
from common.progress import Progress
from common.servers import kafka
from common.servers.cassandra import connected
from common.settings import Settings
from common.waiting import read_progress
from infra.operate.workers.picture import PartitionStatus, Status, WorkerStatus
from speed_layer.operate import seats
from speed_layer.operate.prometheus import HOST
from speed_layer.operate.vitals import Vitals

ASK_SECONDS: Final = 3.0
VITALS_SECONDS: Final = 1.0


def status(settings: Settings, now: int) -> Status:
    """Returns the status at `now` (microseconds, UTC), within seconds. A server that does not answer is in `away`."""
    away: dict[str, str] = {}
    workers = tuple(_worker(settings.home, occupant) for occupant in seats.occupants(settings.home))
    ends = _ends(settings, away)
    found = _progress(settings, ends, away)
    partitions = tuple(_partition(p, found.get(p), ends.get(p), workers, now) for p in _known(ends, found, workers))
    return Status(at=now, partitions=partitions, workers=workers, away=away)


def _ends(settings: Settings, away: dict[str, str]) -> Mapping[int, int]:
    try:
        topic = kafka.topic_identity(settings, settings.log.topic, timeout_seconds=ASK_SECONDS)
        return kafka.last_offsets(settings, topic.partitions, timeout_seconds=ASK_SECONDS)
    except Lambda360Error as error:
        away["kafka"] = str(error)
        return {}


def _progress(settings: Settings, ends: Mapping[int, int], away: dict[str, str]) -> Mapping[int, Progress]:
    impatient = settings.cassandra.model_copy(update={"request_timeout_seconds": ASK_SECONDS})
    try:
        with connected(settings.model_copy(update={"cassandra": impatient})) as session:
            return read_progress(session, ends)
    except Lambda360Error as error:
        away["cassandra"] = str(error)
        return {}


def _known(ends: Mapping[int, int], found: Mapping[int, Progress], workers: tuple[WorkerStatus, ...]) -> list[int]:
    read = {p.partition for worker in workers if worker.vitals for p in worker.vitals.partitions}
    return sorted({*ends, *found, *read})


def _partition(
    partition: int, row: Progress | None, end: int | None, workers: tuple[WorkerStatus, ...], now: int
) -> PartitionStatus:
    # A worker's vitals are newer than the progress row that it wrote.
    readers = [(w.seat, p) for w in workers if w.vitals for p in w.vitals.partitions if p.partition == partition]
    seat, live = readers[0] if readers else (None, None)
    from_offset = row.from_offset if row else live.from_offset if live else None
    next_offset = max((each.next_offset for each in (row, live) if each), default=None)
    end = end if end is not None else live.end_offset if live else None
    behind = None if end is None or next_offset is None else max(end - next_offset, 0)
    seconds = 0.0 if behind == 0 else live.behind_seconds if live else row.behind_seconds(now) if row else None
    beat = row.silent_seconds(now) if row else None
    return PartitionStatus(
        partition=partition,
        from_offset=from_offset,
        next_offset=next_offset,
        end_offset=end,
        behind_records=behind,
        behind_seconds=seconds,
        heartbeat_seconds=beat,
        seat=seat,
    )


def _worker(home: Path, occupant: seats.Occupant) -> WorkerStatus:
    url = f"http://{HOST}:{occupant.metrics_port}" if occupant.metrics_port else None
    is_alive = seats.is_alive(home, occupant)
    vitals = _vitals(url) if is_alive and url else None
    state = "dead" if not is_alive else "unseen" if url is None else "alive" if vitals else "silent"
    return WorkerStatus(
        seat=occupant.seat,
        pid=occupant.pid,
        member=occupant.member,
        state=state,
        rss_mib=rss_mib(occupant.pid) if is_alive else None,
        metrics_url=url if is_alive else None,
        vitals=vitals,
    )


def _vitals(url: str) -> Vitals | None:
    try:
        answer = httpx.get(f"{url}/vitals", timeout=VITALS_SECONDS, trust_env=False)
        return msgspec.json.decode(answer.content, type=Vitals)
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


def rss_mib(pid: int) -> float | None:
    """Returns the resident memory of a process, or None if it has ended."""
    try:
        return round(psutil.Process(pid).memory_info().rss / 2**20, 1)
    except psutil.Error:
        return None
