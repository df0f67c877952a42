"""The state of the speed layer at one moment, and the trouble in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from common.progress import SILENT_SECONDS
from speed_layer.operate.vitals import Vitals


class WorkerStatus(msgspec.Struct, frozen=True):
    """A local worker. `state` is alive, silent (its endpoint does not answer), unseen (it has no endpoint) or dead."""

    seat: int
    pid: int
    member: str
    state: str
    rss_mib: float | None
    metrics_url: str | None
    vitals: Vitals | None


class PartitionStatus(msgspec.Struct, frozen=True):
    """A partition. Unknown values are None. `seat` is that of the local worker that reads it."""

    partition: int
    from_offset: int | None
    next_offset: int | None
    end_offset: int | None
    behind_records: int | None
    behind_seconds: float | None
    heartbeat_seconds: float | None
    seat: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The status at `at` (microseconds, UTC). `away` maps each server that does not answer to the reason."""

    at: int
    partitions: tuple[PartitionStatus, ...]
    workers: tuple[WorkerStatus, ...]
    away: Mapping[str, str] = field(default_factory=dict)

    @property
    def trouble(self) -> list[str]:
        """Returns one sentence for each problem; empty if there is none."""
        found = [f"{name} does not answer: {why}" for name, why in self.away.items()]
        for worker in self.workers:
            found += _trouble_of(worker)
        beats = {p.partition: p.heartbeat_seconds for p in self.partitions}
        silent = [p for p, seconds in beats.items() if seconds is None or seconds > SILENT_SECONDS]
        if silent and "cassandra" not in self.away:
            listed = ", ".join(map(str, silent))
            found.append(f"no heartbeat of partition {listed} for {SILENT_SECONDS:.0f} s: `lambda360 speed run`")
        return found


def _trouble_of(worker: WorkerStatus) -> list[str]:
    name = f"worker {worker.seat} (pid {worker.pid})"
    vitals = worker.vitals
    if worker.state == "silent":
        return [f"{name} is alive and does not answer"]
    if vitals is None:
        return []
    found = [
        f"{name}: circuit of {server} is {state}" for server, state in vitals.breakers.items() if state != "closed"
    ]
    if vitals.paused:
        found.append(f"{name} has paused fetching")
    if not vitals.steady:
        found.append(f"{name} waits for its partitions")
    return found
