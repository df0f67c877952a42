"""What answers must be, by the oracle, each computed once: many answers name the same customer and offset."""

from typing import Any

from infra.proof.oracle import Answer, Oracle
from tests.support.builders import AS_OF


class Expected:
    """The oracle's answers. It must know the log up to every offset that is asked for."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._known: dict[tuple[str, int], tuple[Answer | None, Answer | None]] = {}

    def difference(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Returns what was expected and what was served; None if they are equal."""
        metrics, profile = self._of(entry["customer_id"], entry["provenance"]["log"])
        served = entry["metrics"] if entry["status"] == "ok" else None
        if entry["status"] != "error" and (served, entry["profile"]) == (metrics, profile):
            return None
        return {"expected": metrics, "profile": profile, "served": entry}

    def _of(self, customer: str, log: dict[str, int]) -> tuple[Answer | None, Answer | None]:
        """The customer's metrics and profile at the position that an answer names."""
        key = (customer, log["next_offset"])
        if key not in self._known:
            below = {log["partition"]: log["next_offset"]}
            self._known[key] = (self._oracle.answer(customer, AS_OF, below), self._oracle.profile(customer, below))
        return self._known[key]
