"""The routers of `/v1`, in one place: `create_app` includes them all."""

from collections.abc import Callable, Iterator

from fastapi import APIRouter

from common.settings import Settings
from serving_layer.answer.answers import Answers
from serving_layer.answer.kept import KeptBatches
from serving_layer.read.store import StoreSource
from serving_layer.read.topics import Topics
from serving_layer.routes.alerts import alerts
from serving_layer.routes.batches import Admin, batches
from serving_layer.routes.customers import customers
from serving_layer.routes.explanation import explanations
from serving_layer.routes.facts import listed_facts
from serving_layer.routes.history import histories
from serving_layer.routes.listed import listed_customers
from serving_layer.routes.status import status


def resources(
    answers: Answers,
    kept: KeptBatches,
    source: StoreSource,
    settings: Settings,
    clock: Callable[[], int],
    *,
    topics: Topics,
    admin: Admin,
) -> Iterator[APIRouter]:
    """Yields the routers. `clock` returns microseconds since the epoch, UTC; `admin` lets admins pass."""
    yield customers(answers, kept, settings.serving.batch_get_max)
    yield explanations(answers)
    yield histories(answers)
    yield listed_facts(answers, source, topics)
    yield alerts(source, topics)
    yield listed_customers(source)
    yield batches(source, clock, admin)
    yield status(answers)
