"""Serves the page for people: it describes the routes and shows one customer at a time. It loads from no other host."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from serving_layer.access.headers import policy


def home() -> APIRouter:
    """Returns the route `/`."""
    router = APIRouter(include_in_schema=False)
    page = files("serving_layer").joinpath("page", "index.html").read_text(encoding="utf-8")
    own_policy = {"Content-Security-Policy": policy(page)}

    @router.get("/")
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers=own_policy)

    return router
