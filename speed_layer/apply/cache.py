"""A cache of the customers that a worker applied last. It serves speed alone: nothing relies on it (R12)."""

from collections import OrderedDict
from typing import Final

from speed_layer.apply.known import Known

MAX_FACTS: Final = 256
"""The most facts of one customer that are cached. A customer with more is read each time."""


class FactCache:
    """Holds at most `customers` customers with `facts` facts in all: those applied last.

    An entry is taken out while its customer is applied, so that a failure drops it. `clear` also drops the entries that
    are out: they cannot be put back, since another worker may have applied more meanwhile.
    """

    def __init__(self, customers: int, facts: int = 500_000) -> None:
        self._customers = customers
        self._facts = facts
        self._entries: OrderedDict[str, Known] = OrderedDict()
        self._held = 0
        self._token = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, customer_id: object) -> bool:
        return customer_id in self._entries

    def take(self, customer_id: str) -> tuple[Known | None, int]:
        """Removes and returns the entry, with the token that `put` needs."""
        known = self._entries.pop(customer_id, None)
        self._held -= 0 if known is None else len(known.facts)
        return known, self._token

    def put(self, customer_id: str, known: Known, token: int) -> None:
        if token != self._token or len(known.facts) > MAX_FACTS:
            return
        self._entries[customer_id] = known
        self._held += len(known.facts)
        while len(self._entries) > self._customers or self._held > self._facts:
            _, forgotten = self._entries.popitem(last=False)
            self._held -= len(forgotten.facts)

    def clear(self) -> None:
        """Drop everything. Called on every assignment and revocation."""
        self._entries.clear()
        self._held = 0
        self._token += 1
