"""Reports whether the process is alive, and whether it can answer requests."""

from fastapi import APIRouter

from common.errors import StoreUnavailable
from serving_layer.problems import NotReady
from serving_layer.read.store import StoreSource
from serving_layer.schemas.answers import Health
from serving_layer.schemas.problems import Problem


def health(source: StoreSource) -> APIRouter:
    """Returns the routes `/healthz` and `/readyz`."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=Health)
    async def healthz() -> Health:
        """The process is alive, whatever the store does."""
        return Health("alive")

    @router.get("/readyz", response_model=Health, responses={503: {"model": Problem, "description": "with reasons"}})
    async def readyz() -> Health:
        """The store answers, and its schema and log are there: requests will be answered."""
        try:
            pin = await source().pin()
            await source().progress(pin.pointer.generation, range(pin.partitions))
        except StoreUnavailable as error:
            raise NotReady([str(error)]) from error
        return Health("ready")

    return router
