"""Reads what earlier rounds of a rebuild stored of a customer. Knows no Spark."""

from typing import Any

from cassandra.cluster import Session

from batch_layer.view.fold import Folded
from common.algebra.facts import decode_fact
from common.servers.cassandra import in_one_page
from common.servers.patience import patiently
from common.speed_cql import MARKER
from common.tables import Tables


class Stored:
    """The facts of one generation."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        select = f"SELECT kind, entity_id, value FROM {tables.facts} WHERE customer_id = ?"
        self._select = in_one_page(session.prepare(select))

    def of(self, customer_id: str) -> Folded:
        """Returns the customer's facts and last reset. Raises StoreUnavailable."""
        rows: list[Any] = patiently(
            lambda: list(self._session.execute(self._select, (customer_id,))), "reading the new generation"
        )
        found = Folded()
        for kind, entity_id, value in rows:
            if (kind, entity_id) == MARKER:
                found.reset_offset = int(value)
            else:
                found.facts[kind, entity_id] = decode_fact(value)
        return found
