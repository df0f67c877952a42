"""Builds the REST application from settings, a clock and a way to the store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI

from common.errors import StoreUnavailable
from common.settings import ServingSettings, Settings
from serving_layer.admission import Admission
from serving_layer.answer.answers import Answers
from serving_layer.answer.readiness import Readiness
from serving_layer.inputs import CheckedRoute, checked_query
from serving_layer.problems import MEDIA_TYPE, install
from serving_layer.read.link import Connect, cassandra_link
from serving_layer.read.pins import PinKeeper
from serving_layer.read.store import StoreSource, ViewStore
from serving_layer.routes.customers import customers
from serving_layer.routes.health import health
from serving_layer.routes.home import home
from serving_layer.routes.metrics import metrics
from serving_layer.schemas.problems import Problem

_INVALID: Final[dict[int | str, dict[str, Any]]] = {
    422: {"model": Problem, "description": "an input breaks a rule: `field`, `value` and `rule` say which"}
}


def create_app(settings: Settings, clock: Callable[[], int], connect: Connect = cassandra_link) -> FastAPI:
    """Returns the application. It connects when it is started, not before. `clock` returns microseconds, UTC."""
    source = _Source()
    pins = PinKeeper(source, settings.serving)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with connect(settings) as connected, _kept(pins, settings.serving):
            source.connected = connected
            yield

    app = FastAPI(
        title="lambda360",
        summary="Exact customer metrics, merged from a batch view and a stream",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    app.add_middleware(Admission, settings=settings.serving)
    answers = Answers(source, settings, clock, pins)
    routers = (
        customers(answers, settings.serving.batch_get_max),
        health(Readiness(source, settings, clock)),
        metrics(source, settings, clock),
    )
    for router in routers:
        checks = [] if router.route_class is CheckedRoute else [Depends(checked_query)]
        app.include_router(router, dependencies=checks, responses=_INVALID)
    app.include_router(home())  # the page reads its own query
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
    """Returns FastAPI's OpenAPI document, with the true media type for errors: application/problem+json."""
    schema = generate()
    for operation in (operation for methods in schema["paths"].values() for operation in methods.values()):
        for status, response in operation["responses"].items():
            if status >= "400" and "application/json" in response["content"]:
                response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    return schema
