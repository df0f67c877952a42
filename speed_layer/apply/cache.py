"""What a worker remembers of the customers it met last; nothing here matters but speed (R12)."""

from collections import OrderedDict
from typing import Final

from speed_layer.apply.known import Known

MAX_FACTS: Final = 256
"""Facts remembered of one customer, at most: a customer with more is read anew each time."""


class FactCache:
    """At most `customers` customers with `facts` facts in all, those met last.

    An entry is taken out while its customer is worked on, so that a failure forgets it. `clear` also forgets the
    entries that are out: they are not taken back, for another worker may have gone on meanwhile.
    """

    def __init__(self, customers: int, facts: int = 500_000) -> None:
        self._customers, self._facts = customers, facts
        self._entries: OrderedDict[str, Known] = OrderedDict()
        self._held = 0
        self._token = 0

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, customer_id: str) -> tuple[Known | None, int]:
        """The entry, which is no longer in the cache, and the token that puts it back."""
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
        """Forget everything: called on every assignment and revocation."""
        self._entries.clear()
        self._held = 0
        self._token += 1
