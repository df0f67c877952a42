"""Admits requests: so many at once at most, each with a time in which its response must begin."""

import asyncio
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.settings import ServingSettings
from serving_layer.problems import problem

ADMITTED: Final = "/v1/"
"""How the paths begin of what is asked of the store. Others say how the process is, and are always answered."""


class Admission:
    """ASGI middleware. A request beyond the setting's number is refused at once, and not queued: 503 with Retry-After.

    A request counts, and its time runs, until its response begins: a stream of events takes neither. One whose time
    passes is cancelled, and answered with 503: what it asked of the store may still be under way.
    """

    def __init__(self, app: ASGIApp, settings: ServingSettings) -> None:
        self._app = app
        self._most = settings.requests_in_flight
        self._seconds = settings.request_seconds
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(ADMITTED):
            await self._app(scope, receive, send)
        elif self._under_way >= self._most:
            detail = f"{self._most} requests are under way already, which is as many as this process takes"
            await problem(Request(scope), 503, "overloaded", detail)(scope, receive, send)
        else:
            await self._admitted(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def begin(message: Message) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                self._under_way -= 1
                limit.reschedule(None)
            await send(message)

        self._under_way += 1
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, begin)
        except TimeoutError:
            if has_begun or not limit.expired():
                raise
            detail = f"the answer was not ready within {self._seconds:g} s"
            await problem(Request(scope), 503, "too-slow", detail)(scope, receive, send)
        finally:
            if not has_begun:
                self._under_way -= 1
