"""The oracle: what every answer must be, by a slow and obvious fold over the raw log.

It is the second opinion: it imports nothing of the system, and states validation (R2, R3), current facts (R4),
erasures (R24) and metrics a second time.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from infra.proof.oracle_metrics import Answer, metrics, profile_of, shown_profile
from infra.proof.oracle_reading import Entry, RawRecord, partition_of, read
from infra.proof.oracle_values import Invalid

__all__ = ["Answer", "Entry", "Invalid", "Oracle", "RawRecord", "metrics", "partition_of"]


class Oracle:
    """Answers about a log. The records of a partition must come in offset order; more may be added later.

    `below` has, by partition, the offset below which records count. In a partition that it does not name all count.
    """

    def __init__(self, records: Iterable[RawRecord], partition_count: int, currency: str = "USD") -> None:
        self._partition_count = partition_count
        self._currency = currency
        self._history: dict[str, list[Entry]] = {}
        self.rejected: list[tuple[RawRecord, str]] = []
        self.extend(records)

    def extend(self, records: Iterable[RawRecord]) -> None:
        """Adds the next records of the log."""
        for record in records:
            try:
                entry = read(record, self._partition_count, self._currency)
            except Invalid as reason:
                self.rejected.append((record, str(reason)))
            else:
                self._history.setdefault(entry.customer_id, []).append(entry)

    @property
    def mentioned(self) -> list[str]:
        """Every customer that a valid record names, erased ones too."""
        return sorted(self._history)

    def customers(self, below: Mapping[int, int] | None = None) -> list[str]:
        """The known customers: those with a current fact since their last erasure (R24)."""
        return [customer_id for customer_id in self.mentioned if self.current(customer_id, below)]

    def answer(self, customer_id: str, as_of: date, below: Mapping[int, int] | None = None) -> Answer | None:
        """Returns the metrics as the API answers them, None for an unknown customer."""
        current = self.current(customer_id, below)
        return metrics(current, as_of) if current else None

    def profile(self, customer_id: str, below: Mapping[int, int] | None = None) -> Answer | None:
        """Returns the profile as the API answers it, None if it is unknown or was taken back (R5a)."""
        fields = profile_of(self.current(customer_id, below))
        return None if fields is None else shown_profile(fields)

    def current(self, customer_id: str, below: Mapping[int, int] | None = None) -> list[Entry]:
        """Returns the current facts (R4): of each entity the one with the greatest (version, retracted, offset).

        Facts before the customer's last erasure do not count (R24).
        """
        end = (below or {}).get(partition_of(customer_id, self._partition_count))
        found: dict[tuple[str, str], Entry] = {}
        for entry in self._history.get(customer_id, ()):
            if end is not None and entry.offset >= end:
                break
            if entry.kind == "customer":
                found.clear()
                continue
            held = found.get((entry.kind, entry.entity_id))
            if held is None or (entry.version, entry.retracted) >= (held.version, held.retracted):
                found[entry.kind, entry.entity_id] = entry
        return list(found.values())
