"""The status of the speed layer as lines of text."""

from collections.abc import Iterator
from typing import Final

from infra.drawing import Column, drawn
from infra.operate.workers.picture import PartitionStatus, Status, WorkerStatus

Row = tuple[str, ...]
PARTITIONS: Final = [
    Column(heading, right=True)
    for heading in ("partition", "from", "next", "end", "behind", "seconds", "heartbeat", "seat")
]
WORKERS: Final = [
    Column(heading, right=True)
    for heading in ("seat", "pid", "state", "partitions", "fetching", "circuits", "MiB", "metrics")
]


def lines_of(status: Status, width: int | None = None) -> Iterator[str]:
    """Yields a table of the partitions, a table of the local workers, and a line for each problem.

    The tables are fitted to `width` unless it is None.
    """
    yield from drawn(PARTITIONS, map(_partition, status.partitions), width=width)
    if status.workers:
        yield ""
        yield from drawn(WORKERS, map(_worker, status.workers), width=width)
    for trouble in status.trouble:
        yield f"! {trouble}"


def _partition(found: PartitionStatus) -> Row:
    beat = "never" if found.heartbeat_seconds is None else f"{found.heartbeat_seconds:.1f} s ago"
    seconds = "-" if found.behind_seconds is None else f"{found.behind_seconds:.1f}"
    return (
        str(found.partition),
        _text(found.from_offset),
        _text(found.next_offset),
        _text(found.end_offset),
        _text(found.behind_records),
        seconds,
        beat,
        _text(found.seat),
    )


def _worker(worker: WorkerStatus) -> Row:
    vitals = worker.vitals
    start = (str(worker.seat), str(worker.pid), worker.state)
    end = (_text(worker.rss_mib), f"{worker.metrics_url}/metrics" if worker.metrics_url else "-")
    if vitals is None:
        return *start, "-", "-", "-", *end
    partitions = ",".join(str(partition.partition) for partition in vitals.partitions) or "none"
    fetching = "paused" if vitals.paused else "yes" if vitals.steady else "rebalance"
    circuits = ",".join(f"{server}={state}" for server, state in vitals.breakers.items())
    return *start, partitions, fetching, circuits, *end


def _text(value: object) -> str:
    return "-" if value is None else str(value)
