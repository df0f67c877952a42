"""Who works on a run: one process at a time, by a lease. Exactness does not rely on it: claims see to that (R17)."""

import fcntl
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import msgspec
import structlog
from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from common.algebra.pointer import NAME
from common.errors import ClaimLost
from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.tables import Tables

log = structlog.get_logger(__name__)
LEASE_SECONDS: Final = 30
"""Without a renewal for so long, another machine may take the run over."""
RENEW_SECONDS: Final = 8.0
_LOCK_FILE: Final = "batch.lock"


class Owner(msgspec.Struct, frozen=True):
    """A process that runs batches. `place` names its host and home: there, a file lock tells whether it lives."""

    who: str
    place: str
    process: int
    token: str

    @classmethod
    def this_process(cls, who: str, home: Path) -> "Owner":
        return cls(who, f"{socket.gethostname()}:{home.absolute()}", os.getpid(), uuid.uuid4().hex)

    def __str__(self) -> str:
        return f"{self.who}, process {self.process} in {self.place}"


class Lease:
    """What an owner holds. `lost` is set once another process has it."""

    def __init__(self, session: Session, owner: Owner) -> None:
        self.owner = owner
        self.lost = threading.Event()
        self._session = session
        self._ended = threading.Event()
        self._text = msgspec.json.encode(owner).decode()

    def check(self) -> None:
        """Raises ClaimLost if another process has taken over."""
        if self.lost.is_set():
            raise ClaimLost("another run took this one over, since this one was silent; the current view is unchanged")

    def keep(self) -> None:
        """Renews the lease until `release`; runs in a thread of its own."""
        while not self._ended.wait(RENEW_SECONDS):
            try:
                if not (self._replaced(self.owner) or self._created()):
                    self.lost.set()
                    return
            except UNAVAILABLE as error:
                log.warning("unavailable", server="cassandra", action="retry", error=error)

    def release(self) -> None:
        """Ends the lease, so that the next run need not wait for its end."""
        self._ended.set()
        delete = f"DELETE FROM {Tables.batch_owner} WHERE name = %s IF owner = %s"
        with suppress(*UNAVAILABLE):
            self._session.execute(delete, (NAME, self._text))

    def take(self) -> None:
        """Takes the lease where nobody has it, or where its holder, in this very place, no longer lives.

        Raises ClaimLost, which names the holder, otherwise.
        """

        def attempt() -> None:
            found, seconds = self._holder()
            if found is None:
                taken = self._created()
            elif found.place == self.owner.place:
                taken = self._replaced(found)  # this process holds the place's file lock, so that one is dead
            else:
                raise ClaimLost(
                    f"another run is at work: {found}. Wait for it; if it is dead, the same command takes its work "
                    f"over in {seconds} s"
                )
            if not taken:
                raise ClaimLost("another run began at the same moment; wait for it, then run this again")

        patiently(attempt, "taking the lease of the batch")

    def _holder(self) -> tuple[Owner | None, int]:
        select = SimpleStatement(
            f"SELECT owner, TTL(owner) AS seconds FROM {Tables.batch_owner} WHERE name = %s",
            consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        )
        row = self._session.execute(select, (NAME,)).one()
        if row is None or row.owner is None:
            return None, 0
        return msgspec.json.decode(row.owner, type=Owner), row.seconds or 0

    def _created(self) -> bool:
        insert = (
            f"INSERT INTO {Tables.batch_owner} (name, owner) VALUES (%s, %s) IF NOT EXISTS USING TTL {LEASE_SECONDS}"
        )
        return self._is_applied(insert, (NAME, self._text))

    def _replaced(self, holder: Owner) -> bool:
        update = f"UPDATE {Tables.batch_owner} USING TTL {LEASE_SECONDS} SET owner = %s WHERE name = %s IF owner = %s"
        return self._is_applied(update, (self._text, NAME, msgspec.json.encode(holder).decode()))

    def _is_applied(self, statement: str, values: tuple[object, ...]) -> bool:
        applied, *_ = self._session.execute(statement, values).one()
        return bool(applied) or self._holder()[0] == self.owner  # an answer may have been lost, and the write repeated


@contextmanager
def owned(session: Session, home: Path, who: str) -> Iterator[Lease]:
    """Makes this process the one that works on batches, inside. Raises ClaimLost, which names the other, if one is.

    A process that was killed is replaced at once by one in the same host and home, and by one elsewhere after
    `LEASE_SECONDS`. A process that was paused, and goes on after it was replaced, finds its lease lost before its next
    step; what it wrote until then is what the other one writes, or belongs to a claim that was dropped.
    """
    with _place(home):
        lease = Lease(session, Owner.this_process(who, home))
        lease.take()
        thread = threading.Thread(target=lease.keep, name="batch-lease", daemon=True)
        thread.start()
        try:
            yield lease
        finally:
            lease.release()
            thread.join()


@contextmanager
def _place(home: Path) -> Iterator[IO[str]]:
    """Locks this home's file, which the kernel unlocks when the process ends. Raises ClaimLost if another has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / _LOCK_FILE).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "it has only begun"
            raise ClaimLost(f"another run is at work on this machine: {holder}. Wait for it, or end it") from error
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield file
