"""Finds the customers of a file who were erased: importing their rows would bring them back (R24)."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from common.errors import RejectedRecord
from infra.ingest.records import RecordMaker
from infra.ingest.rows import Source

Lookup = Callable[[Sequence[str]], Collection[str]]
"""Returns those of the given customers who were erased."""
_AT_ONCE: Final = 200
"""Customers in one question."""
_WAITING: Final = 8
"""Questions without an answer, at most."""


class ErasedCustomers:
    """Collects the customers of rows, and asks about each once, beside the reading. Keeps 60 bytes a customer."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._asking = ThreadPoolExecutor(1)
        self._seen: set[int] = set()
        self._next: dict[str, int] = {}
        self._asked: list[tuple[dict[str, int], Future[Collection[str]]]] = []
        self._found: dict[str, int] = {}

    def add(self, row: int, customer_id: str) -> None:
        """Adds a valid row's customer. Raises what the lookup raises."""
        hashed = hash(customer_id)
        if hashed in self._seen:
            return
        self._seen.add(hashed)
        self._next[customer_id] = row
        if len(self._next) >= _AT_ONCE:
            self._ask()

    def finish(self) -> dict[str, int]:
        """Returns the first row of each customer who was erased, in the order of the rows."""
        self._ask()
        while self._asked:
            self._settle()
        self._asking.shutdown()
        return dict(sorted(self._found.items(), key=lambda found: found[1]))

    def _ask(self) -> None:
        if len(self._asked) >= _WAITING:
            self._settle()
        if self._next:
            self._asked.append((self._next, self._asking.submit(self._lookup, list(self._next))))
            self._next = {}

    def _settle(self) -> None:
        rows, answer = self._asked.pop(0)
        self._found.update({customer_id: rows[customer_id] for customer_id in answer.result()})


def erased_in(source: Source, maker: RecordMaker, now: int, lookup: Lookup) -> dict[str, int]:
    """Reads the whole file, and returns the first row of each of its customers who were erased."""
    customers = ErasedCustomers(lookup)
    for row in source.rows():
        with suppress(RejectedRecord):
            customers.add(row.number, maker.record(row, now).event.customer_id)
    return customers.finish()
