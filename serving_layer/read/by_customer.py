"""A select by customer id, for one customer or for many."""

from collections.abc import Sequence
from typing import NamedTuple

from cassandra.query import PreparedStatement


class ByCustomer(NamedTuple):
    """One select by customer id in two forms: for one customer, which the driver sends to a replica, and for many."""

    one: PreparedStatement
    many: PreparedStatement

    def bind(self, customers: list[str], parameters: Sequence[object]) -> tuple[PreparedStatement, Sequence[object]]:
        """Returns the form for so many customers, and its parameters. `customers` must not be empty."""
        if len(customers) == 1:
            return self.one, (*customers, *parameters)
        return self.many, (customers, *parameters)
