"""The speed layer's facts of a customer as they are stored, and their comparison with what the log gives (R18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from cassandra.cluster import Session

from common.algebra.facts import Fact, Image, decode_fact
from common.servers.cassandra import in_one_page
from common.servers.patience import patiently
from common.speed_cql import MARKER
from common.tables import Tables

Entity = tuple[str, str]
"""Kind and entity id."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A customer's rows in the speed layer's table of facts."""

    reset: int | None
    facts: Mapping[Entity, Fact | None]
    """None for a cell that this release cannot read."""


def differences(stored: Stored, expected: Mapping[Entity, Image], cut: int) -> list[Entity]:
    """Returns the entities whose stored fact below `cut` is not the expected image, in their order. Pure.

    A fact that changed at or above the cut is not compared: what it was below the cut is known only of the last change.
    With a reset at or above the cut nothing is compared.
    """
    if stored.reset is not None and stored.reset >= cut:
        return []
    found = {
        entity: fact
        for entity, fact in stored.facts.items()
        if fact is None or stored.reset is None or fact.offset > stored.reset
    }
    wrong = {entity for entity in expected if entity not in found}
    for entity, fact in found.items():
        if fact is None or (fact.offset < cut and expected.get(entity) != fact.after):
            wrong.add(entity)
    return sorted(wrong)


class Facts:
    """Reads customers' facts, each customer's in one page."""

    def __init__(self, session: Session, generation: int) -> None:
        self._session = session
        self._select = in_one_page(
            session.prepare(
                f"SELECT customer_id, kind, entity_id, value FROM {Tables(generation).facts} WHERE customer_id IN ?"
            )
        )

    def of(self, customers: Sequence[str]) -> Mapping[str, Stored]:
        """Returns the stored facts by customer. Raises StoreUnavailable."""
        asked = list(customers)
        rows = patiently(lambda: list(self._session.execute(self._select, (asked,))), "reading facts") if asked else []
        facts: dict[str, dict[Entity, Fact | None]] = {customer: {} for customer in asked}
        resets: dict[str, int] = {}
        for row in rows:
            if (row.kind, row.entity_id) == MARKER:
                resets[row.customer_id] = int(row.value)
            else:
                facts[row.customer_id][row.kind, row.entity_id] = _readable(row.value)
        return {customer: Stored(resets.get(customer), facts[customer]) for customer in customers}


def _readable(text: str) -> Fact | None:
    try:
        return decode_fact(text)
    except msgspec.DecodeError:
        return None
