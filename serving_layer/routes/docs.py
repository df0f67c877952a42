"""Serves `/docs`: Swagger UI, whose files come out of an installed wheel. It loads nothing from another host."""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
"""The files of the wheel that the page needs."""
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lambda360: the REST interface</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """"use strict";
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


def docs() -> APIRouter:
    """Returns the routes of the page."""
    router = APIRouter(prefix="/docs", include_in_schema=False)
    wheel = files("fastapi_offline").joinpath("static")

    @router.get("")
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @router.get("/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @router.get("/assets/{name}")
    async def asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        content = wheel.joinpath(name).read_bytes()
        return Response(content, media_type=ASSETS[name], headers={"Cache-Control": "max-age=86400"})

    return router
