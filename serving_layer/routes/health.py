"""Reports whether the process is alive, and whether it would answer exactly."""

from fastapi import APIRouter

from common.errors import StoreUnavailable
from serving_layer.answer.readiness import Readiness
from serving_layer.problems import NotReady
from serving_layer.schemas.answers import Health
from serving_layer.schemas.problems import Problem


def health(readiness: Readiness) -> APIRouter:
    """Returns the routes `/healthz` and `/readyz`."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=Health)
    async def healthz() -> Health:
        """The process is alive, whatever the store does."""
        return Health("alive")

    @router.get("/readyz", response_model=Health, responses={503: {"model": Problem, "description": "with reasons"}})
    async def readyz() -> Health:
        """The store answers, and no partition is degraded: requests will be answered, and exactly."""
        try:
            reasons = await readiness.reasons()
        except StoreUnavailable as error:
            raise NotReady([str(error)]) from error
        if reasons:
            raise NotReady(reasons)
        return Health("ready")

    return router
