"""The two reads of an answer by the bare driver, without HTTP, merge or asyncio."""

import threading
import time
from collections.abc import Sequence
from random import Random
from typing import Final

from cassandra.cluster import Session
from cassandra.query import PreparedStatement, tuple_factory

from common.servers.cassandra import connected, in_one_page
from common.settings import Settings
from tests.bench.serve.rows import CUT, Set

IN_FLIGHT: Final = (16, 32, 64, 128, 256, 512)


def best(settings: Settings, of: Set, seconds: float) -> tuple[float, int]:
    """Returns the greatest number of pairs of reads a second, and the pairs in flight at which it was reached."""
    with connected(settings, row_factory=tuple_factory) as session:
        _Pairs(session, of, 64).rate(seconds)  # connections and caches are warm
        return max((_Pairs(session, of, in_flight).rate(seconds), in_flight) for in_flight in IN_FLIGHT)


class _Pairs:
    """Keeps so many pairs in flight: the driver's thread begins the next pair where one is answered."""

    def __init__(self, session: Session, of: Set, in_flight: int) -> None:
        self._session, self._of, self._in_flight, self._random = session, of, in_flight, Random(in_flight)
        self._slot = session.prepare("SELECT customer_id, batch_id, state FROM batch_view_a WHERE customer_id = ?")
        self._deltas = in_one_page(
            session.prepare(
                "SELECT customer_id, kafka_offset, value FROM speed_deltas WHERE customer_id = ? AND kafka_offset >= ?"
            )
        )
        self._answered = 0
        self._until = 0.0
        self._idle, self._ended = in_flight, threading.Event()
        self._failure: object = None
        self._lock = threading.Lock()

    def rate(self, seconds: float) -> float:
        started = time.perf_counter()
        self._until = started + seconds
        with self._lock:
            self._idle = 0
        for _ in range(self._in_flight):
            self._begin()
        assert self._ended.wait(seconds + 60), "the driver's answers do not come"
        assert self._failure is None, self._failure
        return self._answered / (time.perf_counter() - started)

    def _begin(self) -> None:
        if time.perf_counter() >= self._until:
            with self._lock:
                self._idle += 1
                if self._idle == self._in_flight:
                    self._ended.set()
            return
        customer = self._of.customer(self._random.randrange(self._of.size))
        missing = [2]
        self._read(self._slot, (customer,), missing)
        self._read(self._deltas, (customer, CUT), missing)

    def _read(self, statement: PreparedStatement, values: Sequence[object], missing: list[int]) -> None:
        def answered(_: object) -> None:
            with self._lock:
                missing[0] -= 1
                if missing[0]:
                    return
                self._answered += 1
            self._begin()

        def failed(error: object) -> None:
            self._failure = error
            self._ended.set()

        self._session.execute_async(statement, values).add_callbacks(answered, failed)
