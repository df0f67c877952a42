"""Checks the inputs of a request. A customer's id follows the rule of records (R3): only erasures may hold another."""

import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from common.algebra.metrics import METRIC
from common.log.texts import CUSTOMER_ID_RULE, CustomerIdText
from serving_layer.problems import InvalidRequest, echo

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DAY_RULE: Final = "a day as YYYY-MM-DD"


def checked_customer_id(text: str, field: str = "customer_id") -> str:
    """Returns `text`. Raises InvalidRequest if it cannot be a customer's id."""
    try:
        text.encode()  # JSON can spell a lone surrogate, which no key in the log can hold
        return msgspec.convert(text, CustomerIdText)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise InvalidRequest(field, text, CUSTOMER_ID_RULE) from error


def checked_spelling(raw_path: bytes) -> None:
    """Raises InvalidRequest unless the id in the path `…/customers/ID/LAST` is percent-encoded UTF-8."""
    # The framework replaces bytes that are not UTF-8: the id would then name another customer.
    spelled = raw_path.partition(b"/customers/")[2].rpartition(b"/")[0]
    try:
        unquote_to_bytes(spelled).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("customer_id", spelled.decode("ascii", "replace"), "percent-encoded UTF-8") from error


class CheckedRoute(APIRoute):
    """A route that checks the query by itself. As a dependency the same check costs as much as all other inputs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = list(_parameters(self.dependant))

        async def checked(request: Request) -> Response:
            _check(request, known)
            return await handle(request)

        return checked


async def checked_query(request: Request) -> None:
    """Raises InvalidRequest for a query parameter that the request's route does not declare, or that is repeated."""
    route = request.scope["route"]
    _check(request, list(_parameters(route.dependant)) if isinstance(route, APIRoute) else [])


def _check(request: Request, known: Sequence[str]) -> None:
    found: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise InvalidRequest(echo(name), value, f"no query parameter of this route, which {takes}")
        if name in found:
            raise InvalidRequest(name, value, "a query parameter is given once")
        found.add(name)


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for each in dependant.dependencies:
        yield from _parameters(each)


def checked_as_of(text: str | None, today: date, field: str = "as_of") -> date:
    """Returns the day that `text` names, or `today` if it is None.

    Raises InvalidRequest if `text` is not a date as YYYY-MM-DD, or names a day after `today`.
    """
    if text is None:
        return today
    day = checked_day(text, field)
    if day > today:
        raise InvalidRequest(field, text, f"not later than the server's day (UTC), {today.isoformat()}")
    return day


def checked_day(text: str, field: str) -> date:
    """Returns the day that `text` names. Raises InvalidRequest if it is not a date as YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidRequest(field, text, _DAY_RULE)
    return day


def checked_fields(text: str | None) -> list[str] | None:
    """Returns the metrics that `text` names, separated by commas, in the order of the catalogue; None for all.

    Raises InvalidRequest for a name that no metric has.
    """
    if text is None:
        return None
    asked = text.split(",")
    for name in asked:
        if name not in METRIC:
            raise InvalidRequest("fields", name, f"names of metrics, separated by commas: {', '.join(METRIC)}")
    return [name for name in METRIC if name in asked]
