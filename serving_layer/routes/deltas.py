"""Streams live deltas as server-sent events, of all customers or of one."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from common.algebra.payloads import PAYLOADS
from common.errors import LogError, LogUnavailable
from common.log.texts import CUSTOMER_ID_RULE
from common.log.wire import ALIASES
from common.settings import LiveSettings
from serving_layer.inputs import checked_customer_id, checked_spelling
from serving_layer.live.hub import BadVector, Busy, Hub
from serving_layer.live.opened import Opened
from serving_layer.live.streams import Wish, vector_of
from serving_layer.problems import InvalidRequest
from serving_layer.schemas.problems import Problem

RECONNECT_MILLIS: Final = 1000
_BUSY: Final = {"Retry-After": "5"}
_AWAY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": Problem, "description": "Kafka does not answer, or as many streams are open as may be; ask again"}
}
_CUSTOMER: Final = f"only deltas of this customer: {CUSTOMER_ID_RULE}"
_KIND: Final = f"only deltas of this kind, and resets: {', '.join((*PAYLOADS, *ALIASES))}"
_LAST: Final = "the id of the last event that was received; the stream begins behind it, instead of now"
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description=_LAST, examples=["0:1200,1:37"])]
KindQuery = Annotated[str | None, Query(description=_KIND, examples=["order"])]
RULE: Final = "an event's id, PARTITION:OFFSET,…, such as 0:1200,1:37"


def deltas(hub: Hub, settings: LiveSettings) -> APIRouter:
    """Returns the routes `/v1/deltas` and `/v1/customers/{customer_id}/deltas`."""
    router = APIRouter(prefix="/v1", tags=["live"])

    # Whatever is refused is refused in these two, before the headers of a stream are sent.

    async def of_all(
        customer: Annotated[str | None, Query(description=_CUSTOMER, examples=["00001"])] = None,
        kind: KindQuery = None,
        last_event_id: LastEventId = None,
    ) -> AsyncIterator[Opened]:
        chosen = None if customer is None else checked_customer_id(customer, "customer")
        async with _opened(hub, Wish(chosen, _kind(kind)), last_event_id) as opened:
            yield opened

    async def of_one(
        request: Request,
        customer_id: Annotated[str, Path(description=f"percent-encoded: {CUSTOMER_ID_RULE}", examples=["00001"])],
        kind: KindQuery = None,
        last_event_id: LastEventId = None,
    ) -> AsyncIterator[Opened]:
        checked_spelling(request.scope["raw_path"])
        async with _opened(hub, Wish(checked_customer_id(customer_id), _kind(kind)), last_event_id) as opened:
            yield opened

    @router.get("/deltas", response_class=EventSourceResponse, responses=_AWAY)
    async def get_deltas(opened: Annotated[Opened, Depends(of_all)]) -> AsyncIterable[ServerSentEvent]:
        """Deltas as they are published, as server-sent events: `delta`, `reset`, `gap`, `dropped`, `heartbeat`."""
        async for event in _events(opened, settings):
            yield event

    @router.get("/customers/{customer_id:anytext}/deltas", response_class=EventSourceResponse, responses=_AWAY)
    async def get_customers_deltas(opened: Annotated[Opened, Depends(of_one)]) -> AsyncIterable[ServerSentEvent]:
        """One customer's deltas as they are published; events as in `/v1/deltas`."""
        async for event in _events(opened, settings):
            yield event

    return router


@asynccontextmanager
async def _opened(hub: Hub, wish: Wish, last_event_id: str | None) -> AsyncIterator[Opened]:
    """Yields the stream, and closes it. Raises InvalidRequest, or HTTPException with a 503."""
    async with AsyncExitStack() as stack:
        try:
            after = None if last_event_id is None else vector_of(last_event_id)
            opened = await stack.enter_async_context(hub.opened(wish, after))
        except ValueError as error:
            raise InvalidRequest("Last-Event-ID", last_event_id, RULE) from error
        except BadVector as error:
            raise InvalidRequest("Last-Event-ID", last_event_id, str(error)) from error
        except (Busy, LogUnavailable, LogError) as error:
            raise HTTPException(503, str(error), _BUSY) from error
        yield opened


async def _events(opened: Opened, settings: LiveSettings) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(retry=RECONNECT_MILLIS, comment="lambda360")
    async for sent in opened.events(settings.heartbeat_seconds):
        yield ServerSentEvent(raw_data=sent.data, event=sent.name, id=sent.id)


def _kind(text: str | None) -> str | None:
    if text is None:
        return None
    kind = ALIASES.get(text, text)
    if kind not in PAYLOADS:
        raise InvalidRequest("kind", text, f"one of {', '.join((*PAYLOADS, *ALIASES))}")
    return kind
