"""Answers how far each layer is behind."""

from fastapi import APIRouter, Response

from serving_layer.answer.answers import Answers
from serving_layer.routes import examples
from serving_layer.routes.shared import AWAY, json_response
from serving_layer.schemas.batches import Standing


def status(answers: Answers) -> APIRouter:
    """Returns the route `/v1/status`."""
    router = APIRouter(prefix="/v1", tags=["health"])

    documented = {**examples.shown(**examples.status()), **AWAY}

    @router.get("/status", response_model=Standing, responses=documented)
    async def standing() -> Response:
        """The current batch and its age, and the speed layer in each partition; why answers are degraded, if any is."""
        return json_response(await answers.standing())

    return router
