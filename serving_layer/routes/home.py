"""Serves the pages for people: the front door at `/`, and the dashboard. They load from no other host."""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_REVALIDATED: Final = {"Cache-Control": "no-cache"}
"""A browser asks again each time, and a page of an older release is not kept with assets of a newer one."""


def add_pages(app: FastAPI) -> None:
    """Adds `/`, and `/dashboard` with what it loads. None of them is in the schema."""
    app.include_router(_pages())
    app.mount("/dashboard/assets", _Assets(packages=[("serving_layer", "page/assets")]))


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_REVALIDATED)
        return response


def _pages() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    door = _text("index.html")
    dashboard = _text("dashboard.html")

    @router.get("/")
    async def show_door() -> HTMLResponse:
        return HTMLResponse(door, headers=_REVALIDATED)

    @router.get("/dashboard")
    async def show_dashboard() -> HTMLResponse:
        return HTMLResponse(dashboard, headers=_REVALIDATED)

    return router


def _text(name: str) -> str:
    return files("serving_layer").joinpath("page", name).read_text(encoding="utf-8")
