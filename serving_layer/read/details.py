"""The port to what serving shows beside the merged views: facts, alerts, rankings, erasures, and the rollback."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from common.algebra.rankings import Entry, RankedSlot, RankingKey
from common.servers.rollback import Rollback


class FactRow(NamedTuple):
    """A current fact's row; `value` is its cell as stored."""

    kind: str
    entity_id: str
    value: str


class AlertRow(NamedTuple):
    """A customer's alert: the offset of the record that raised it, its rule, and its cell as stored."""

    offset: int
    rule: str
    value: str


@dataclass(frozen=True, slots=True)
class RankingRow:
    """A customer in a ranking of a slot, of whatever batch."""

    batch_id: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class WishedRollback:
    """What an operator asks for; `at` is in microseconds since the epoch (UTC)."""

    batch_id: int | None
    """None means the batch before the current one."""
    at: int
    who: str
    reason: str


class DetailStore(Protocol):
    """What is stored beside the views. Every method raises StoreUnavailable if the store does not answer in time."""

    async def reset_offsets(self, generation: int, customers: Collection[str]) -> Mapping[str, int]:
        """Returns the offset of the last erasure of each of the customers (R24). One without any is absent."""

    async def facts(
        self, generation: int, customer: str, kind: str | None, after: tuple[str, str], most: int
    ) -> Sequence[FactRow]:
        """Returns a customer's current facts after (kind, entity id), at most so many, in that order.

        `kind` None means every kind. The marker of an erasure is no fact, and facts below it are not left out.
        """

    async def delta_cells(self, generation: int, customer: str, offsets: Sequence[int]) -> Mapping[int, str]:
        """Returns the cells of the deltas at those offsets that are still there."""

    async def alerts(self, customer: str, below: tuple[int, str], most: int) -> Sequence[AlertRow]:
        """Returns a customer's alerts below (offset, rule), at most so many, the newest first."""

    async def ranked_slots(self) -> Mapping[str, RankedSlot]:
        """Returns what each slot's rankings are, by slot."""

    async def ranking(self, slot: str, key: RankingKey) -> Sequence[RankingRow]:
        """Returns the rows of a ranking in no order, of whatever batch."""

    async def roll_back(self, wished: WishedRollback) -> Rollback:
        """Does what `common.servers.rollback.journalled` does. Raises BatchError for what that refuses."""
