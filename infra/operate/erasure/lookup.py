"""Tells which customers were erased: by the markers of the speed layer, and by the ledger of erasures (R24)."""

import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.query import ValueSequence

from common.errors import StoreUnavailable
from common.servers import pointer_row
from common.servers.cassandra import connected
from common.servers.patience import patiently
from common.settings import Settings
from common.tables import Tables
from infra.operate.erasure import ledger

_PROBE_SECONDS: Final = 1.0


Lookup = Callable[[Sequence[str]], Collection[str]]


@contextmanager
def erased_lookup(settings: Settings, *, needs_servers: bool) -> Iterator[Lookup]:
    """Gives a function that returns those of some customers who were erased.

    The markers know every erasure that was applied, on any machine; the ledger those of this machine, applied or not.
    Without `needs_servers` a Cassandra that does not answer is left out.
    """
    named = frozenset(entry.customer_id for entry in ledger.read(settings.erasure_ledger))
    with ExitStack() as at_end:
        found: Lookup = named.intersection
        if needs_servers or _listens(settings):
            try:
                found = _Markers(at_end.enter_context(connected(settings)), named)
            except (StoreUnavailable, InvalidRequest):
                if needs_servers:
                    raise
        yield found


class _Markers:
    def __init__(self, session: Session, named: Collection[str]) -> None:
        facts = Tables(pointer_row.read(session).generation).facts
        self._session = session
        self._named = frozenset(named)
        self._select = session.prepare(
            f"SELECT customer_id FROM {facts} WHERE customer_id IN ? AND kind = '' AND entity_id = ''"
        )

    def __call__(self, customers: Sequence[str]) -> Collection[str]:
        rows = patiently(lambda: list(self._session.execute(self._select, (list(customers),))), "looking for erasures")
        return self._named.intersection(customers) | {row.customer_id for row in rows}


def reset_offsets(session: Session, customers: Collection[str]) -> dict[str, int]:
    """Returns the offset of the last applied erasure of each customer that has one (R24). Raises StoreUnavailable."""
    facts = Tables(pointer_row.patient_read(session).generation).facts
    marked = f"SELECT customer_id, value FROM {facts} WHERE customer_id IN %s AND kind = '' AND entity_id = ''"
    found = ValueSequence(sorted(customers))
    rows = patiently(lambda: list(session.execute(marked, (found,))), "looking for erasures") if customers else []
    return {row.customer_id: int(row.value) for row in rows}


def _listens(settings: Settings) -> bool:
    """Whether a node accepts connections, which is known at once where no server runs."""
    for host in settings.cassandra_hosts:
        try:
            with socket.create_connection((host, settings.cassandra_port), _PROBE_SECONDS):
                return True
        except OSError:
            continue
    return False
