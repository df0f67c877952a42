"""What `decide.py` stands on: where facts and deltas are stored, and what is remembered of customers."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from speed_layer.apply.known import Known
from speed_layer.apply.rows import EntityKey, Mutation, Stored


class Wanted(NamedTuple):
    """What is to be read of one customer: its reset offset, the facts of `entities`, and all facts of `kinds`.

    Or, if `whole` and they are few, all facts.
    """

    customer_id: str
    entities: Collection[EntityKey]
    kinds: Collection[str]
    whole: bool


class FactStore(Protocol):
    """Where facts and deltas are kept. The calls return when the store has answered, however long that takes."""

    def groups(self, customers: Iterable[str]) -> Iterable[Sequence[str]]:
        """Yields the customers in groups that are best read and written together."""
        ...

    async def read(self, wanted: Sequence[Wanted]) -> Sequence[Known]:
        """What is stored of each customer, in the order asked."""
        ...

    async def write(self, mutations: Sequence[tuple[str, Mutation]]) -> None:
        """Write a mutation of each customer at its offsets' timestamps (R11), acknowledged at the write consistency.

        Each mutation is atomic; together they are not. No customer may be named twice.
        """
        ...

    async def rows(self, customer_id: str, offsets: Collection[int]) -> Sequence[Stored]:
        """What the records at `offsets` left, in offset order; a record that left nothing, or was erased, is absent."""
        ...


class Cache(Protocol):
    """What was known of customers; each entry is taken out while it is worked on, and lost if that fails."""

    def take(self, customer_id: str) -> tuple[Known | None, int]: ...

    def put(self, customer_id: str, known: Known, token: int) -> None: ...
