"""What a run does after its switch: the batch is current, whatever fails here (R19)."""

from batch_layer.export.export import export
from batch_layer.manifest import Step
from batch_layer.record import Record
from common.algebra.pointer import Published
from common.errors import ExportFailed, Lambda360Error, StoreUnavailable, Unavailable, WarehouseUnavailable


def exported(record: Record, done: Published) -> None:
    """Exports the batch. Idempotent.

    Raises ExportFailed, StoreUnavailable or WarehouseUnavailable, each of which says that it is published.
    """
    job = record.job
    record.enter(Step.EXPORT)
    try:
        job.done("export", export(job, done))
    except Lambda360Error as error:
        kind = _kind(error)
        raise kind(
            f"batch {done.batch_id} is published, and its export (warehouse, features and rankings) is not complete: "
            f"{error}. The next `lambda360 batch run` finishes it"
        ) from error


def _kind(error: Lambda360Error) -> type[Lambda360Error]:
    if isinstance(error, WarehouseUnavailable):
        return WarehouseUnavailable
    return StoreUnavailable if isinstance(error, Unavailable) else ExportFailed
