"""Serves the page for people: it describes the routes and shows one customer at a time. It loads from no other host."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse


def home() -> APIRouter:
    """Returns the routes `/` and `/docs`, which redirects to `/`."""
    router = APIRouter(include_in_schema=False)
    page = files("serving_layer").joinpath("page", "index.html").read_text(encoding="utf-8")

    @router.get("/")
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    @router.get("/docs")
    async def docs() -> RedirectResponse:
        return RedirectResponse("/#routes")

    return router
