"""Publishing: changes of the pointer row by compare-and-set (R17, R19). Knows no Spark."""

from collections.abc import Callable
from typing import Final

import msgspec
from cassandra.cluster import Session

from common.algebra import pointer
from common.algebra.pointer import NAME, Claim, Plan, Pointer, Published
from common.errors import BatchError, ClaimLost
from common.servers import pointer_row
from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.tables import Tables

ATTEMPTS: Final = 20


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


class Rollback(msgspec.Struct, frozen=True):
    """A change of the current batch to one that a slot still holds."""

    left: int | None
    """The batch that was current."""
    to: Published


def planned_rollback(session: Session, batch_id: int | None) -> Rollback:
    """Returns the rollback to `batch_id`, or to the batch before the current one, without doing it.

    Raises BatchError, which names the batches in slots, if no slot holds that batch.
    """
    now = read(session)
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

    transition(session, change)


def check_held(session: Session, mine: Claim) -> None:
    """Raises ClaimLost if the claim is no longer held."""
    if mine not in read(session).claims:
        raise ClaimLost(f"batch {mine.batch_id} lost slot {mine.slot!r} to another run; the current view is unchanged")


def transition(session: Session, change: Callable[[Pointer], Pointer]) -> Pointer:
    """Applies `change` to the pointer row by compare-and-set, and returns the pointer after it.

    If the compare-and-set loses a race, or gets no answer, the row is read again, serially, and `change` is applied to
    it: so `change` must return a pointer that it has changed already as it is. Raises BatchError after `ATTEMPTS`.
    """
    for _ in range(ATTEMPTS):
        before = _read(session)
        after = change(pointer.decode(before))
        if after == pointer.decode(before) or _compare_and_set(session, before, pointer.encode(after)):
            return after
    raise BatchError(
        f"the pointer could not be changed in {ATTEMPTS} attempts: other runs changed it first, or Cassandra did not "
        "answer; run this again"
    )


def read(session: Session) -> Pointer:
    """Returns the pointer as the last compare-and-set left it, by a serial read."""
    return pointer.decode(_read(session))


def _read(session: Session) -> str | None:
    return patiently(lambda: pointer_row.read_text(session), "reading the pointer")


def _compare_and_set(session: Session, before: str | None, after: str) -> bool:
    """Whether the change is known to be applied; without an answer it is not."""
    try:
        if before is None:
            insert = f"INSERT INTO {Tables.batch_pointer} (name, value) VALUES (%s, %s) IF NOT EXISTS"
            row = session.execute(insert, (NAME, after)).one()
        else:
            update = f"UPDATE {Tables.batch_pointer} SET value = %s WHERE name = %s IF value = %s"
            row = session.execute(update, (after, NAME, before)).one()
    except UNAVAILABLE:
        return False
    applied, *_ = row  # the column `[applied]` has no name in Python, and is always the first
    return bool(applied)
