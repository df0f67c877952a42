"""`/metrics` of the API: what is known of the batches, read from the store once in a while, whoever asks how often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from batch_layer.gate_report import GateReport, Window
from batch_layer.manifest import Manifest, Status, Step
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer
from common.algebra.runs import LOOKED_AT
from common.errors import StoreUnavailable
from common.settings import Settings
from serving_layer.answer.batches import CACHE_SECONDS
from serving_layer.app import create_app
from serving_layer.read.runs import decode
from serving_layer.read.store import StoreSource
from tests.support.serving_fakes import NOW, Api, MemoryViewStore, pointing_at, published

HOUR = 3_600_000_000
PLAN = Plan(1, Cut.zero(), "logic", "validation")


def manifest(batch_id: int, status: Status = Status.PUBLISHED, hours_ago: float = 0.0) -> str:
    """A run as the batch layer stores it."""
    run = Manifest(
        batch_id=batch_id,
        plan=PLAN,
        status=status,
        step=Step.FINISH,
        started_at=0,
        finished_at=round(NOW - hours_ago * HOUR) if status is Status.PUBLISHED else None,
        rows=1_000_000,
        seconds={"archive": 2.5, "recompute and load": 97.5, "notify": 30.0},
        gate=GateReport(records=20_000, window=Window(0, HOUR), score=98.5, findings=()),
    )
    return msgspec.json.encode(run).decode()


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and labels."""
    families = text_string_to_metric_families(text)
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def scraped(store: MemoryViewStore) -> dict[str, float]:
    answer = Api.over(store).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {name: value for name, value in samples(answer.text).items() if name.startswith("lambda360_batch")}


def test_every_figure_of_the_batches_is_a_gauge() -> None:
    batch = published(batch_id=3)
    runs = [manifest(4, Status.STOPPED), manifest(3, hours_ago=1), manifest(2, hours_ago=32), manifest(1, hours_ago=56)]
    store = MemoryViewStore(pointer=pointing_at(batch), manifests=runs)

    assert scraped(store) == {
        "lambda360_batch_up": 1,
        "lambda360_batch_current_id": 3,
        "lambda360_batch_current_age_seconds": 3600,
        "lambda360_batch_current_customers": 1,
        "lambda360_batch_runs{running}": 0,
        "lambda360_batch_runs{stopped}": 1,
        "lambda360_batch_runs{published}": 3,
        "lambda360_batch_runs{abandoned}": 0,
        "lambda360_batch_sla_seconds": 30 * 3600,
        "lambda360_batch_sla_publications": 2,
        "lambda360_batch_sla_breaches": 1,
        "lambda360_batch_sla_compliance": 0.5,
        "lambda360_batch_last_id": 3,
        "lambda360_batch_last_published_timestamp_seconds": NOW / 1e6 - 3600,
        "lambda360_batch_last_duration_seconds": 100.0,
        "lambda360_batch_last_customers": 1_000_000,
        "lambda360_batch_last_records": 20_000,
        "lambda360_batch_last_quality_score": 98.5,
        "lambda360_batch_last_step_seconds{archive}": 2.5,
        "lambda360_batch_last_step_seconds{recompute and load}": 97.5,
        "lambda360_batch_last_step_seconds{notify}": 30.0,
    }


def test_after_a_rollback_the_current_batch_is_not_the_last_one() -> None:
    store = MemoryViewStore(pointer=pointing_at(published(batch_id=2)), manifests=[manifest(3), manifest(2)])

    found = scraped(store)

    assert (found["lambda360_batch_current_id"], found["lambda360_batch_last_id"]) == (2, 3)


def test_before_the_first_batch_there_are_only_the_figures_that_are_true() -> None:
    found = scraped(MemoryViewStore())

    assert found["lambda360_batch_up"] == 1
    assert found["lambda360_batch_sla_compliance"] == 1
    assert not [name for name in found if "current" in name or "last" in name]


def test_a_batch_that_only_the_pointer_names_yet_counts_as_published() -> None:
    """Its run is telling people, or was killed there."""
    newest = published(batch_id=3)  # an hour ago
    store = MemoryViewStore(
        pointer=pointing_at(newest), manifests=[manifest(3, Status.RUNNING), manifest(2, hours_ago=50)]
    )

    assert scraped(store)["lambda360_batch_sla_breaches"] == 1


def test_a_store_that_is_away_is_a_figure_and_no_error() -> None:
    def away() -> MemoryViewStore:
        raise StoreUnavailable("away")

    answer = Api(away).get("/metrics")

    assert answer.status_code == 200
    found = {name for name in samples(answer.text) if name.startswith("lambda360_batch")}
    assert found == {"lambda360_batch_up"}
    assert samples(answer.text)["lambda360_batch_up"] == 0


@pytest.mark.parametrize("text", ['{"batch_id": "x"}', "{}", "no JSON"])
def test_a_manifest_that_this_release_cannot_read_is_left_out(text: str) -> None:
    assert decode(text) is None
    assert scraped(MemoryViewStore(manifests=[text, manifest(1)]))["lambda360_batch_last_id"] == 1


def test_a_manifest_of_a_newer_release_is_read_as_far_as_it_is_known() -> None:
    newer: dict[str, Any] = {**msgspec.json.decode(manifest(5)), "step": "beyond", "new": [1]}

    run = decode(msgspec.json.encode(newer).decode())

    assert run is not None
    assert (run.batch_id, run.is_published) == (5, True)


@dataclass
class Scraper:
    """Scrapes one application many times, while its clock goes on."""

    store: MemoryViewStore
    now: int = NOW

    def run(self, *seconds: float, at_once: int = 1) -> list[httpx.Response]:
        """The answers, each `seconds` after the one before; `at_once` so many at the same moment."""
        return asyncio.run(self._run(seconds, at_once))

    async def _run(self, seconds: tuple[float, ...], at_once: int) -> list[httpx.Response]:
        @asynccontextmanager
        async def connect(_: Settings) -> AsyncIterator[StoreSource]:
            yield lambda: self.store

        app = create_app(Settings(), lambda: self.now, connect)
        transport = httpx.ASGITransport(app)
        found: list[httpx.Response] = []
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            for each in seconds:
                self.now += round(each * 1e6)
                found += await asyncio.gather(*(client.get("/metrics") for _ in range(at_once)))
        return found


def test_scrapes_read_the_store_once_in_fifteen_seconds_however_many_there_are() -> None:
    store = MemoryViewStore(manifests=[manifest(1)])

    Scraper(store).run(0, 5, 9.9, at_once=20)
    assert sorted(store.calls) == ["pin", "runs"]

    store.calls.clear()
    Scraper(store).run(0, CACHE_SECONDS)
    assert sorted(store.calls) == ["pin", "pin", "runs", "runs"]


def test_a_store_that_is_away_is_not_asked_more_often() -> None:
    asked = []

    def away(name: str) -> None:
        asked.append(name)
        raise StoreUnavailable("away")

    Scraper(MemoryViewStore(on_read=away)).run(0, 1, 1, 1, at_once=10)

    assert len(asked) <= 2


def test_an_age_is_of_the_scrape_and_not_of_the_read() -> None:
    store = MemoryViewStore(pointer=pointing_at(published()))

    first, second = Scraper(store).run(0, 10)

    assert samples(second.text)["lambda360_batch_current_age_seconds"] == 3610
    assert samples(first.text)["lambda360_batch_current_age_seconds"] == 3600


def test_a_read_is_bounded() -> None:
    store = MemoryViewStore(pointer=Pointer(), manifests=[manifest(number) for number in range(500, 0, -1)])

    assert scraped(store)["lambda360_batch_runs{published}"] == LOOKED_AT


def test_a_release_that_names_another_status_is_shown_with_it() -> None:
    other = msgspec.json.encode({**msgspec.json.decode(manifest(1)), "status": "loading"}).decode()

    assert scraped(MemoryViewStore(manifests=[other]))["lambda360_batch_runs{loading}"] == 1
