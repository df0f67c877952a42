"""Gives Prometheus what is known of the batches, so that nothing has to be pushed. Reads are cached."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.settings import Settings
from serving_layer.answer.batches import Batches, BatchFigures
from serving_layer.read.runs import Run
from serving_layer.read.store import StoreSource

PREFIX: Final = "lambda360_batch"
STATUSES: Final = ("running", "stopped", "published", "abandoned")
"""Those that a series is there for, also while no run has one of them."""


def metrics(source: StoreSource, settings: Settings, clock: Callable[[], int]) -> APIRouter:
    """Returns the route `/metrics`. `clock` returns microseconds since the epoch, UTC."""
    router = APIRouter(tags=["metrics"])
    figures = BatchFigures(source, clock)
    registry = CollectorRegistry()
    collector = _Collector(settings, clock)
    registry.register(collector)
    ProcessCollector(registry=registry)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def scrape() -> Response:
        """Figures of the batches for Prometheus; `lambda360_batch_up` is 0 while the store does not answer."""
        collector.batches = await figures.now()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


class _Collector:
    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self.batches: Batches | None = None
        self._settings = settings
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        found = self.batches
        yield _gauge(
            "up", "1 if the store answered at the last read; without it there are no other figures.", bool(found)
        )
        if found is not None:
            yield from self._of_pointer(found)
            yield from self._of_runs(found)
            if found.last_published is not None:
                yield from _of_run(found.last_published)

    def _of_pointer(self, found: Batches) -> Iterator[Metric]:
        current = found.pointer.published
        if current is not None:
            age = (self._clock() - current.published_at) / 1e6
            yield _gauge("current_id", "The batch that answers are merged from.", current.batch_id)
            yield _gauge("current_age_seconds", "Seconds since that batch was published.", age)
            yield _gauge("current_customers", "Customers in its view.", current.rows)

    def _of_runs(self, found: Batches) -> Iterator[Metric]:
        runs = GaugeMetricFamily(f"{PREFIX}_runs", "The newest runs by their status.", labels=["status"])
        counted = Counter(run.status for run in found.runs)
        for status in dict.fromkeys((*STATUSES, *counted)):
            runs.add_metric([status], counted[status])
        yield runs
        sla = found.sla(self._settings.sla_hours)
        yield _gauge("sla_seconds", "The most that may lie between two publications.", self._settings.sla_hours * 3600)
        yield _gauge("sla_publications", "Publications that followed another one.", sla.publications)
        yield _gauge("sla_breaches", "Those of them that came too late.", sla.breaches)
        yield _gauge("sla_compliance", "The share of them that came in time.", float(sla.compliance))


def _of_run(run: Run) -> Iterator[Metric]:
    """Yields the figures of the newest published run, those that its manifest has."""
    known = {
        "last_id": ("The newest published batch; after a rollback it is not the current one.", run.batch_id),
        "last_published_timestamp_seconds": ("When it was published.", _seconds(run.finished_at)),
        "last_duration_seconds": ("How long its run worked.", run.duration_seconds),
        "last_customers": ("Customers in its view.", run.rows),
        "last_records": ("Records that were new to it.", run.records),
        "last_quality_score": ("The quality gate's score of them, 0 to 100.", run.score),
    }
    for name, (text, value) in known.items():
        if value is not None:
            yield _gauge(name, text, value)
    steps = GaugeMetricFamily(f"{PREFIX}_last_step_seconds", "How long each of its steps took.", labels=["step"])
    for step, seconds in run.seconds.items():
        steps.add_metric([step], seconds)
    yield steps


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1e6


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=float(value))
