"""A worker's own HTTP endpoint, on loopback: `/metrics` for Prometheus, `/vitals` for `lambda360 speed status`.

Everything is read from the live objects on demand, at no cost to the hot path.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, StateSetMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.metrics_core import Metric

from common.errors import WorkerError
from speed_layer.operate.vitals import PartitionVitals, Vitals

HOST: Final = "127.0.0.1"
PREFIX: Final = "lambda360_speed"
PORTS_TRIED: Final = 100
STATES: Final = ("closed", "open", "half_open")

_OF_PARTITION: Final[Mapping[str, tuple[str, Callable[[PartitionVitals], float | None]]]] = {
    "lag_records": ("Records of the log not yet applied.", lambda p: p.behind_records),
    "lag_seconds": (
        "Seconds since everything appended was applied; 0 where nothing is left.",
        lambda p: p.behind_seconds,
    ),
    "from_offset": ("The offset from which on every delta is alive.", lambda p: p.from_offset),
    "next_offset": ("The offset below which everything is applied and published.", lambda p: p.next_offset),
    "end_offset": ("The log's end, as of the last heartbeat.", lambda p: p.end_offset),
    "in_flight_records": ("Offsets fetched and not yet applied.", lambda p: p.in_flight_records),
    "backlog_bytes": ("Bytes fetched and not yet taken by the worker.", lambda p: p.backlog_bytes),
}
_OF_WORKER: Final[Mapping[str, tuple[str, Callable[[Vitals], float]]]] = {
    "paused": ("1 while the worker holds back from fetching.", lambda v: v.paused),
    "steady": ("1 while its partitions are assigned and no rebalance is under way.", lambda v: v.steady),
    "retries_waiting": ("Operations that failed and have not succeeded since.", lambda v: v.retries_waiting),
    "cached_customers": ("Customers whose current facts are remembered.", lambda v: v.cached_customers),
    "heartbeat_age_seconds": (
        "Seconds since a heartbeat was written; NaN before the first.",
        lambda v: max(v.at - v.beat_at, 0) / 1e6 if v.beat_at else float("nan"),
    ),
}
_COUNTERS: Final[Mapping[str, tuple[str, str, Callable[[Vitals], Mapping[str, int]]]]] = {
    "records": ("Records by what became of them.", "outcome", lambda v: v.counts),
    # Dashboards know it by this name; the messages are copies of stored rows.
    "published": ("Messages acknowledged, by topic.", "topic", lambda v: v.copied),
    "alerts": ("Alerts written, by rule.", "rule", lambda v: v.alerts),
    "circuit_openings": ("How often a circuit opened, by server.", "server", lambda v: v.openings),
    "future_dated_records": ("Valid records dated beyond their append time.", "", lambda v: {"": v.future_dated}),
}


class WorkerCollector:
    """The vitals as Prometheus metrics, taken at each scrape."""

    def __init__(self, gauge: Callable[[], Vitals]) -> None:
        self._gauge = gauge

    def collect(self) -> Iterator[Metric]:
        vitals = self._gauge()
        for name, (text, of_partition) in _OF_PARTITION.items():
            family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["partition"])
            for partition in vitals.partitions:
                if (value := of_partition(partition)) is not None:
                    family.add_metric([str(partition.partition)], value)
            yield family
        for name, (text, of_worker) in _OF_WORKER.items():
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=float(of_worker(vitals)))
        for name, (text, label, of_counts) in _COUNTERS.items():
            counter = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=[label] if label else [])
            for key, count in of_counts(vitals).items():
                counter.add_metric([key] if label else [], count)
            yield counter
        circuits = StateSetMetricFamily(f"{PREFIX}_circuit", "The circuit breakers' states.", labels=["server"])
        for server, state in vitals.breakers.items():
            circuits.add_metric([server], {each: each == state for each in STATES})
        yield circuits
        about = {"seat": str(vitals.seat), "member": vitals.member, "logic_version": vitals.logic_version}
        yield InfoMetricFamily(f"{PREFIX}_worker", "The worker and its release.", value=about)


@contextmanager
def endpoint(gauge: Callable[[], Vitals], first_port: int) -> Iterator[int]:
    """Answer on `first_port`, or the next free one; the port is the value. 0 asks for none.

    Raises WorkerError if none of many ports is free.
    """
    if not first_port:
        yield 0
        return
    registry = CollectorRegistry()
    for collector in (WorkerCollector(gauge), ProcessCollector(registry=None), PlatformCollector(registry=None)):
        registry.register(collector)
    GCCollector(registry=registry)
    server = _server(_app(make_wsgi_app(registry), gauge), first_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _app(metrics: Callable[..., Iterable[bytes]], gauge: Callable[[], Vitals]) -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/vitals":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [msgspec.json.encode(gauge())]
        return metrics(environ, start_response)

    return app


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Logs nothing: a scrape is not an event."""


def _server(app: Callable[..., Iterable[bytes]], first_port: int) -> Any:
    for port in range(first_port, min(first_port + PORTS_TRIED, 65_536)):
        try:
            return make_server(HOST, port, app, ThreadingWSGIServer, handler_class=_Silent)
        except OSError:
            continue
    text = f"none of {PORTS_TRIED} ports from {first_port} on is free on {HOST}"
    raise WorkerError(f"{text}: set LAMBDA360_SPEED_METRICS_PORT, or to 0 for no metrics")
