"""What answers must be, by the oracle, each computed once: many answers name the same customer and offset."""

from functools import lru_cache
from typing import Any, Final

from infra.proof.oracle import Answer, Oracle
from tests.support.builders import AS_OF

KEPT: Final = 200_000
"""So many are kept, those that were asked for last: a million of them would take gigabytes."""


class Expected:
    """The oracle's answers. It must know the log up to every offset that is asked for."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._of = lru_cache(KEPT)(self._asked)

    def difference(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Returns what was expected and what was served; None if they are equal."""
        log = entry["provenance"]["log"]
        metrics, profile = self._of(entry["customer_id"], log["partition"], log["next_offset"])
        served = entry["metrics"] if entry["status"] == "ok" else None
        if entry["status"] != "error" and (served, entry["profile"]) == (metrics, profile):
            return None
        return {"expected": metrics, "profile": profile, "served": entry}

    def _asked(self, customer: str, partition: int, next_offset: int) -> tuple[Answer | None, Answer | None]:
        """The customer's metrics and profile at the position that an answer names."""
        below = {partition: next_offset}
        return self._oracle.answer(customer, AS_OF, below), self._oracle.profile(customer, below)
