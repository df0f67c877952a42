"""The lock on a keyspace's schema: of two that apply changes, one waits."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from infra.context import Report
from infra.schema.changes import SchemaError

WAIT_SECONDS: Final = 300.0
"""How long a lock is waited for: several times as long as a dead owner's lasts."""
_POLL_SECONDS: Final = 0.5
_RENEW_SHARE: Final = 8
"""A lock is renewed once that part of its time has passed."""


class LockTable(Protocol):
    """See `Ledger`."""

    def take_lock(self, owner: str, seconds: int) -> str | None: ...

    def keep_lock(self, owner: str, seconds: int) -> bool: ...

    def release_lock(self, owner: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lock lasts and is waited for; `owner` is a text that nobody else has."""

    owner: str
    lock_seconds: int
    wait_seconds: float = WAIT_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class Lock:
    """A lock that is held, as long as `keep` is called often enough."""

    def __init__(self, table: LockTable, terms: Terms, taken_at: float) -> None:
        self._table = table
        self._terms = terms
        self._renewed_at = taken_at

    @property
    def owner(self) -> str:
        return self._terms.owner

    def keep(self) -> None:
        """The lock lasts a while longer. Raises SchemaError if it is lost: it has expired, or another took it."""
        now, seconds = self._terms.clock(), self._terms.lock_seconds
        if now - self._renewed_at < seconds / _RENEW_SHARE:
            return
        if not self._table.keep_lock(self.owner, seconds):
            raise lost()
        self._renewed_at = now


def lost() -> SchemaError:
    return SchemaError("the lock on the schema was lost, because this process stood still too long; run it again")


@contextmanager
def locked(table: LockTable, terms: Terms, report: Report) -> Iterator[Lock]:
    """The lock, held; `report` is told whom it waits for. Raises SchemaError if it is not free in time."""
    began_at = asked_at = terms.clock()
    told = ""
    while (holder := table.take_lock(terms.owner, terms.lock_seconds)) is not None:
        asked_at = terms.clock()
        if asked_at - began_at >= terms.wait_seconds:
            raise SchemaError(f"{holder} still applies changes after {asked_at - began_at:.0f} s; run this again later")
        if holder != told:
            report(
                f"schema: waiting for {holder}, which applies changes; if it died, its lock expires within "
                f"{terms.lock_seconds} s"
            )
            told = holder
        terms.sleep(_POLL_SECONDS * (0.5 + terms.jitter()))
        asked_at = terms.clock()
    try:
        yield Lock(table, terms, asked_at)
    finally:
        table.release_lock(terms.owner)
