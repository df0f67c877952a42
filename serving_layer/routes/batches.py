"""Answers what is known of batches, and makes an earlier one the current one again."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response

from common.algebra.pointer import Pointer
from common.algebra.runs import LOOKED_AT
from serving_layer.answer.provenance import batch_info
from serving_layer.answer.runs import shown
from serving_layer.problems import Forbidden, documented_problem
from serving_layer.read.details import WishedRollback
from serving_layer.read.run_details import RunDetails, decode
from serving_layer.read.store import StoreSource, UnknownBatch
from serving_layer.routes import examples
from serving_layer.routes.shared import AWAY, json_response
from serving_layer.schemas.batches import BatchRun, BatchRuns, RollbackRequest, RolledBack

Admin = Callable[..., Any]
"""A dependency that returns who asks, for the journal, and raises for whoever may not change anything."""
_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {404: documented_problem("there is no such batch")}
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    403: documented_problem("the caller is no admin"),
    409: documented_problem("no slot holds that batch, or another one became current meanwhile"),
}


async def nobody() -> str:
    """Refuses every request: the `Admin` of an application that knows no keys."""
    raise Forbidden("this server takes no admin's requests; `lambda360 batch rollback` does the same")


def batches(source: StoreSource, clock: Callable[[], int], admin: Admin = nobody) -> APIRouter:
    """Returns the routes under `/v1/batches`. `clock` returns microseconds since the epoch, UTC."""
    router = APIRouter(prefix="/v1/batches", tags=["batches"])
    one = {**examples.shown(**examples.batch()), **AWAY, **_UNKNOWN}
    changed = {**examples.shown(**examples.rollback()), **AWAY, **_REFUSED}

    @router.get("", response_model=BatchRuns, responses={**examples.shown(**examples.batches()), **AWAY})
    async def list_batches() -> Response:
        """The newest batch runs, the newest first: figures, steps, gate and audit; no customer is named."""
        pointer, runs = await _runs(source)
        return json_response(BatchRuns([shown(run, pointer) for run in runs]))

    @router.get("/current", response_model=BatchRun, responses=one)
    async def current_batch() -> Response:
        """The batch that answers are merged from now."""
        pointer, runs = await _runs(source)
        if pointer.current is None:
            raise UnknownBatch("there is no batch yet; `lambda360 batch run` makes the first")
        return json_response(_found(pointer.current, pointer, runs))

    @router.get("/{batch_id}", response_model=BatchRun, responses=one)
    async def one_batch(batch_id: Annotated[int, Path(ge=1)]) -> Response:
        """One batch run."""
        return json_response(_found(batch_id, *await _runs(source)))

    @router.post("/rollback", response_model=RolledBack, responses=changed)
    async def roll_back(asked: RollbackRequest, who: Annotated[str, Depends(admin)]) -> Response:
        """Makes an earlier batch the current one again, as `lambda360 batch rollback` does; the journal keeps it.

        Answers stay right, since deltas count from that batch's own cut on. Asking again changes nothing.
        """
        wished = WishedRollback(batch_id=asked.to, at=clock(), who=who, reason=asked.reason)
        done = await source().details.roll_back(wished)
        info = batch_info(done.to)
        assert info is not None  # noqa: S101 # for the type checker: there is a batch
        return json_response(RolledBack(changed=not done.changes_nothing, left=done.left, current=info))

    return router


async def _runs(source: StoreSource) -> tuple[Pointer, list[RunDetails]]:
    """Returns the pointer, and the newest runs whose manifests this release can read."""
    store = source()
    pin = await store.pin()
    runs = [decode(text) for text in await store.runs(LOOKED_AT)]
    return pin.pointer, [run for run in runs if run is not None]


def _found(batch_id: int, pointer: Pointer, runs: list[RunDetails]) -> BatchRun:
    """Returns the run. Raises UnknownBatch if it is not among the newest."""
    for run in runs:
        if run.batch_id == batch_id:
            return shown(run, pointer)
    known = ", ".join(str(run.batch_id) for run in runs) or "none yet"
    raise UnknownBatch(f"there is no batch {batch_id} among the newest: {known}")
