"""The pointer row, by compare-and-set, and the manifests: who may write a slot, and which slot is read (R17, R19)."""

from collections.abc import Callable
from typing import Final

import msgspec
from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from common.algebra import pointer
from common.algebra.pointer import NAME, Claim, Plan, Pointer, Published
from common.errors import BatchError, ClaimLost
from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.tables import Tables

ATTEMPTS: Final = 20


class Manifest(msgspec.Struct, frozen=True):
    """What a run says of itself, for people; the pointer alone decides."""

    batch_id: int
    slot: str
    plan: Plan
    status: str
    """`loading` from its claim on, `verified` when its slot is complete, `published` in the end."""
    started_at: int
    """Microseconds since the epoch, UTC."""
    finished_at: int | None = None
    rows: int | None = None
    checksum: str | None = None
    seconds: dict[str, float] = {}
    """How long each step took."""


def claim(session: Session, plan: Plan) -> Claim:
    """A slot is this plan's to write, under a batch id of its own.

    Raises ClaimLost if a batch with a newer cut was published since the plan was made.
    """

    def change(before: Pointer) -> Pointer:
        current = before.published
        if current is not None and not plan.cut.covers(current.plan.cut):
            raise ClaimLost(
                f"batch {current.batch_id} of another run is newer than this one; the current view is unchanged"
            )
        return pointer.claim(before, plan)[0]

    after = transition(session, change)
    return next(held for held in after.claims if held.plan == plan)


def publish(session: Session, mine: Claim, done: Published) -> None:
    """The claimed slot is the current one. Raises ClaimLost if another run took the claim or published it first."""

    def change(before: Pointer) -> Pointer:
        if done in before.complete:  # our own compare-and-set, whose answer was lost
            return before
        return pointer.publish(before, mine, published_at=done.published_at, rows=done.rows, checksum=done.checksum)

    transition(session, change)


def check_held(session: Session, mine: Claim) -> None:
    """Raises ClaimLost if the claim is no longer held."""
    if mine not in read(session).claims:
        raise ClaimLost(f"batch {mine.batch_id} lost slot {mine.slot!r} to another run; the current view is unchanged")


def transition(session: Session, change: Callable[[Pointer], Pointer]) -> Pointer:
    """The pointer after `change`, applied to the whole row as it stood: another run's change in between is met anew.

    A compare-and-set that got no answer is resolved by a serial read: `change` must leave a pointer that it made alone.
    """
    for _ in range(ATTEMPTS):
        before = _read(session)
        after = change(pointer.decode(before))
        if after == pointer.decode(before) or _compare_and_set(session, before, pointer.encode(after)):
            return after
    raise BatchError(f"the pointer changed {ATTEMPTS} times meanwhile, or Cassandra does not decide; run this again")


def read(session: Session) -> Pointer:
    """The pointer, as the last compare-and-set left it."""
    return pointer.decode(_read(session))


def record(session: Session, manifest: Manifest) -> None:
    """The manifest is stored; a later one of the same batch replaces it."""
    text = msgspec.json.encode(manifest).decode()
    insert = f"INSERT INTO {Tables.batches} (name, batch_id, manifest) VALUES (%s, %s, %s)"
    patiently(lambda: session.execute(insert, (NAME, manifest.batch_id, text)), "recording the batch")


def manifests(session: Session) -> list[Manifest]:
    """All manifests, the newest batch first."""
    select = f"SELECT manifest FROM {Tables.batches} WHERE name = %s"
    rows = patiently(lambda: list(session.execute(select, (NAME,))), "reading the batches")
    return [msgspec.json.decode(row.manifest, type=Manifest) for row in rows]


def _read(session: Session) -> str | None:
    select = SimpleStatement(
        f"SELECT value FROM {Tables.batch_pointer} WHERE name = %s", consistency_level=ConsistencyLevel.LOCAL_SERIAL
    )
    row = patiently(lambda: session.execute(select, (NAME,)).one(), "reading the pointer")
    return None if row is None else row.value


def _compare_and_set(session: Session, before: str | None, after: str) -> bool:
    """Whether the change is known to be applied."""
    try:
        if before is None:
            insert = f"INSERT INTO {Tables.batch_pointer} (name, value) VALUES (%s, %s) IF NOT EXISTS"
            return bool(session.execute(insert, (NAME, after)).one()[0])  # its first column is `[applied]`
        update = f"UPDATE {Tables.batch_pointer} SET value = %s WHERE name = %s IF value = %s"
        return bool(session.execute(update, (after, NAME, before)).one()[0])
    except UNAVAILABLE:
        return False
