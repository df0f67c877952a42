"""A rollback: an operator makes a batch current again that a slot still holds, and the journal keeps it (R17).

The command `lambda360 batch rollback` and the API do it by the same function.
"""

import msgspec
from cassandra.cluster import Session

from common.algebra import pointer
from common.algebra.pointer import Pointer, Published
from common.errors import BatchError
from common.servers import journal, pointer_row


class Rollback(msgspec.Struct, frozen=True):
    """A change of the current batch to one that a slot still holds."""

    left: int | None
    """The batch that was current."""
    to: Published

    @property
    def changes_nothing(self) -> bool:
        """Whether the batch is current already."""
        return self.left == self.to.batch_id


def journalled(session: Session, batch_id: int | None, *, at: int, who: str, reason: str) -> Rollback:
    """Makes `batch_id` the current batch, or the one before the current one, and returns what was changed.

    The journal has an entry from before the change, and that it is done from after it. Nothing is written where the
    batch is current already. `at` is in microseconds since the epoch (UTC). Raises BatchError if no slot holds the
    batch, if another batch became current meanwhile, or if a run claimed the batch's slot.
    """
    planned = planned_rollback(session, batch_id)
    if planned.changes_nothing:
        return planned
    what = f"from batch {planned.left} to batch {planned.to.batch_id}"
    entry = journal.Entry(at=at, who=who, action="rollback", what=what, reason=reason)
    journal.record(session, entry)
    roll_back(session, planned)
    journal.done(session, entry)
    return planned


def planned_rollback(session: Session, batch_id: int | None) -> Rollback:
    """Returns the rollback to `batch_id`, or to the batch before the current one, without doing it.

    Raises BatchError, which names the batches in slots, if no slot holds that batch.
    """
    now = pointer_row.patient_read(session)
    target = pointer.previous(now) if batch_id is None else pointer.switch(now, batch_id).published
    if target is None:
        raise BatchError("there is no batch yet; `lambda360 batch run` makes the first")
    return Rollback(now.current, target)


def roll_back(session: Session, planned: Rollback) -> None:
    """Makes the batch current that was planned. Idempotent. The slot that is left stays as it is.

    Raises BatchError if another batch became current since, or if a run claimed the batch's slot.
    """

    def change(before: Pointer) -> Pointer:
        if before.current not in (planned.left, planned.to.batch_id):
            raise BatchError(
                f"batch {before.current} became current meanwhile; `lambda360 batch list` shows the batches"
            )
        return pointer.switch(before, planned.to.batch_id)

    pointer_row.transition(session, change)
