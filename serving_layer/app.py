"""Builds the REST application from settings, a clock and a way to the store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from common.errors import StoreUnavailable
from common.settings import ServingSettings, Settings
from serving_layer.access.connections import ON_STOP
from serving_layer.access.guard import Guard
from serving_layer.access.headers import cors
from serving_layer.access.policy import Policy
from serving_layer.access.scopes import REFUSED
from serving_layer.access.scopes import admin as admin_scope
from serving_layer.admission import Admission
from serving_layer.answer.answers import Answers
from serving_layer.answer.kept import KeptBatches
from serving_layer.inputs import CheckedRoute, checked_query
from serving_layer.live.hub import Hub
from serving_layer.live.topic import ConnectTopic, kafka_topic
from serving_layer.problems import MEDIA_TYPE, documented_problem, install
from serving_layer.read.kafka_topics import KafkaTopics
from serving_layer.read.link import Connect, cassandra_link
from serving_layer.read.pins import PinKeeper
from serving_layer.read.store import StoreSource, ViewStore
from serving_layer.read.topics import Topics
from serving_layer.request_ids import RequestIds
from serving_layer.routes.batches import Admin
from serving_layer.routes.deltas import deltas
from serving_layer.routes.direct import Direct
from serving_layer.routes.docs import docs
from serving_layer.routes.examples import with_nulls
from serving_layer.routes.health import health
from serving_layer.routes.home import add_pages
from serving_layer.routes.metrics import metrics
from serving_layer.routes.resources import resources

_EXAMPLE: Final = {
    "type": "urn:lambda360:problem:invalid-request",
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "as_of: 'yesterday': a day as YYYY-MM-DD",
    "instance": "/v1/customers/00001/metrics",
    "field": "as_of",
    "value": "yesterday",
    "rule": "a day as YYYY-MM-DD",
}
_INVALID: Final[dict[int | str, dict[str, Any]]] = {
    **REFUSED,
    422: documented_problem(
        "an input breaks a rule: `field`, `value` and `rule` say which", {"as_of": {"value": _EXAMPLE}}
    ),
}


def create_app(
    settings: Settings,
    clock: Callable[[], int],
    connect: Connect = cassandra_link,
    topic: ConnectTopic = kafka_topic,
    *,
    topics: Topics | None = None,
    admin: Admin = admin_scope,
) -> FastAPI:
    """Returns the application. It connects when it is started, not before. `clock` returns microseconds, UTC.

    `topic` and `topics` are Kafka unless given. `admin` is a dependency that lets admins pass, and returns who asks.
    Raises SettingsError for settings by which nobody could be answered, or anybody would be.
    """
    source = _Source()
    policy = Policy.of(settings, clock)
    hub = Hub(topic(settings), settings.live)
    pins = PinKeeper(source, settings.serving)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with connect(settings) as connected, _kept(pins, settings.serving), hub.running():
            source.connected = connected
            yield {ON_STOP: hub.end}

    app = FastAPI(
        title="lambda360",
        summary="Exact customer metrics, merged from a batch view and a stream",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Nobody exports them; the framework looks into the environment for that in each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    answers, kept = Answers(source, settings, clock, pins), KeptBatches(source, settings)
    app.add_middleware(Direct, answers=answers, kept=kept)
    app.add_middleware(Admission, settings=settings.serving)
    app.add_middleware(Guard, policy=policy)
    if policy.origins:
        app.add_middleware(CORSMiddleware, **cors(policy.origins))  # outermost: refusals can be read, too
    install(app)
    app.add_middleware(RequestIds)
    routers = (
        *resources(answers, kept, source, settings, clock, topics=topics or KafkaTopics(settings), admin=admin),
        deltas(hub, settings.live),
        health(answers),
        metrics(source, settings, clock),
    )
    for router in routers:
        checks = [] if router.route_class is CheckedRoute else [Depends(checked_query)]
        app.include_router(router, dependencies=checks, responses=_INVALID)
    add_pages(app)
    app.include_router(docs())
    app.openapi = partial(_openapi, app.openapi)  # type: ignore[method-assign] # FastAPI's own way to extend it
    return app


@asynccontextmanager
async def _kept(pins: PinKeeper, settings: ServingSettings) -> AsyncIterator[None]:
    """Renews the kept pin meanwhile, unless the setting says that none is used."""
    if not settings.pin_max_age_seconds:
        yield
        return
    keeping = asyncio.create_task(pins.keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


class _Source:
    """Returns the connected store. Raises StoreUnavailable before the application is started."""

    # The routes are built with this object, when there is no connection yet.

    def __init__(self) -> None:
        self.connected: StoreSource | None = None

    def __call__(self) -> ViewStore:
        if self.connected is None:
            raise StoreUnavailable("the application was not started")
        return self.connected()


def _openapi(generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns FastAPI's OpenAPI document, with the true media type for errors, and examples that keep their nulls."""
    schema = generate()
    for operation in (operation for methods in schema["paths"].values() for operation in methods.values()):
        for status, response in operation["responses"].items():
            with_nulls(response)
            if status >= "400" and "application/json" in response["content"]:
                response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    return schema
