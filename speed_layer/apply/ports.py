"""What `decide.py` stands on: where facts and deltas are stored, and what is remembered of customers."""

from collections.abc import Collection, Sequence
from typing import Protocol

from speed_layer.apply.known import Known
from speed_layer.apply.rows import EntityKey, Mutation, Stored


class FactStore(Protocol):
    """Where facts and deltas are kept. The calls return when the store has answered, however long that takes."""

    async def read(
        self, customer_id: str, entities: Collection[EntityKey], kinds: Collection[str], *, whole: bool
    ) -> Known:
        """The customer's reset offset, the facts of `entities`, and all facts of `kinds`.

        Or, if `whole` and they are few, all facts.
        """
        ...

    async def write(self, customer_id: str, mutation: Mutation) -> None:
        """Write the mutation at its offsets' timestamps (R11), acknowledged at the write consistency."""
        ...

    async def rows(self, customer_id: str, offsets: Collection[int]) -> Sequence[Stored]:
        """What the records at `offsets` left, in offset order; a record that left nothing, or was erased, is absent."""
        ...


class Cache(Protocol):
    """What was known of customers; each entry is taken out while it is worked on, and lost if that fails."""

    def take(self, customer_id: str) -> tuple[Known | None, int]: ...

    def put(self, customer_id: str, known: Known, token: int) -> None: ...
