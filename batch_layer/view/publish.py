"""Publishing: changes of the pointer row by compare-and-set (R17, R19). Knows no Spark."""

from collections.abc import Callable

from cassandra.cluster import Session

from common.algebra import pointer
from common.algebra.pointer import Claim, Plan, Pointer, Published
from common.errors import ClaimLost
from common.servers import pointer_row


def begin(session: Session) -> int:
    """Returns the batch id of a new run. An id whose answer was lost is never used."""
    return transition(session, pointer.begin).last_batch_id


def claim(session: Session, plan: Plan, batch_id: int | None = None) -> Claim:
    """Claims a slot for `plan`, and returns the claim; an unfinished claim of the plan is returned.

    The claim's id is `batch_id`, which `begin` gave, or else a new one. Raises ClaimLost if the current batch's cut is
    above the plan's in a partition, since it was published meanwhile, or if a later run began.
    """

    def change(before: Pointer) -> Pointer:
        check_newest(before.published, plan)
        claimed, _ = pointer.claim(before, plan, batch_id)
        return claimed

    after = transition(session, change)
    return next(held for held in after.claims if held.plan == plan)


def check_newest(current: Published | None, plan: Plan) -> None:
    """Raises ClaimLost if the cut of the current batch is above the plan's in a partition.

    Such a batch became current since the plan was made: another run published it, or an operator went on to it again
    after a rollback. There are no deltas by which an audit could compare an older view with it.
    """
    if current is not None and not plan.cut.covers(current.plan.cut):
        raise ClaimLost(
            f"batch {current.batch_id} of another run is newer than this one; the current view is unchanged"
        )


def publish(session: Session, mine: Claim, done: Published, *, marked_in: int | None = None) -> None:
    """Makes the claimed slot the current one. Idempotent. `marked_in` is as in `pointer.publish`.

    Raises ClaimLost if another run dropped the claim, or published it first.
    """

    def change(before: Pointer) -> Pointer:
        if done in before.complete:  # our own compare-and-set was applied, and its answer lost
            return before
        return pointer.publish(
            before,
            mine,
            published_at=done.published_at,
            rows=done.rows,
            checksum=done.checksum,
            marked_in=marked_in,
        )

    transition(session, change)


def check_held(session: Session, mine: Claim) -> None:
    """Raises ClaimLost if the claim is no longer held."""
    if mine not in read(session).claims:
        raise ClaimLost(f"batch {mine.batch_id} lost slot {mine.slot!r} to another run; the current view is unchanged")


def transition(session: Session, change: Callable[[Pointer], Pointer]) -> Pointer:
    """Applies `change` to the pointer row, see `pointer_row.transition`."""
    return pointer_row.transition(session, change)


def read(session: Session) -> Pointer:
    """Returns the pointer as the last compare-and-set left it, by a serial read, for which it waits patiently."""
    return pointer_row.patient_read(session)
