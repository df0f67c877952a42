"""The page for people: what this is, how to ask, and one customer at a time to look at. It needs no other host."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse


def home() -> APIRouter:
    """`/`, and `/docs` as another name of it."""
    router = APIRouter(include_in_schema=False)
    page = files("serving_layer").joinpath("page", "index.html").read_text(encoding="utf-8")

    @router.get("/")
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    @router.get("/docs")
    async def docs() -> RedirectResponse:
        return RedirectResponse("/#routes")

    return router
