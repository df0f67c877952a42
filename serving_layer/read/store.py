"""The port to the stored views: what serving asks of a store, and the rows it gets (R20, R22)."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import msgspec

from common.algebra.cut import Cut
from common.algebra.pointer import Pointer, Published, cut_of
from common.errors import Lambda360Error, StoreUnavailable
from common.progress import Progress
from serving_layer.read.details import DetailStore


class SlotReused(StoreUnavailable):
    """The pinned slot holds rows of a newer batch: the request must pin again (R20)."""


class UnknownBatch(Lambda360Error):
    """There is no such batch, or no slot holds it."""


class TooManyDeltas(StoreUnavailable):
    """A customer has more deltas above the cut than an answer adds up: a batch must absorb them first."""

    def __init__(self, customer: str, most: int) -> None:
        super().__init__(
            f"customer {customer!r} has more than {most} deltas since the last batch, and an answer adds up no more; "
            "the next batch absorbs them"
        )


class StatementRefused(StoreUnavailable):
    """Cassandra answered, and refuses the statement: its table was dropped or changed, as an old generation's is."""


@dataclass(frozen=True)
class Pin:
    """What one request is answered from: the pointer, read once, and the log's recorded partition count."""

    pointer: Pointer
    partitions: int

    @cached_property
    def published(self) -> Published | None:
        """The batch to read; None before the first one."""
        return self.pointer.published

    @cached_property
    def cut(self) -> Cut:
        """That batch's cut."""
        return cut_of(self.published)

    def read_from(self, partition: int) -> int:
        """The offset from which on deltas are read: the cut, or the end of a loss below it.

        A reset between the two says that the customer lost nothing (R15). The merge ignores what lies below the cut.
        """
        losses = self.pointer.losses
        ends = (loss.to_offset for loss in losses if loss.partition == partition and not loss.sent_again)
        return min((self.cut[partition], *ends))


class SlotRow(msgspec.Struct, frozen=True):
    """A customer's row in a slot; `state` is its cell as stored."""

    batch_id: int
    state: str


DeltaRow = tuple[int, str]
"""A delta's offset and its cell as stored; or a mark's (R18), at the offset `common.algebra.marks.MARK_OFFSET`."""


class ViewStore(Protocol):
    """The stored views. Every method raises StoreUnavailable if the store does not answer in time."""

    @property
    def details(self) -> DetailStore:
        """What is stored beside the views."""

    async def pin(self) -> Pin:
        """Returns the pointer and the log's recorded partition count, as they are now."""

    async def runs(self, most: int) -> Sequence[str]:
        """Returns the manifests of the newest batch runs as stored, at most so many, the newest first."""

    async def progress(self, generation: int, partitions: Collection[int]) -> Mapping[int, Progress]:
        """Returns the speed layer's progress in a generation, by partition. A partition without a row is absent."""

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        """Returns the slot's rows by customer, of whatever batch. A customer without a row is absent."""

    def deltas(
        self, generation: int, customers: Collection[str], cut: int
    ) -> Awaitable[Mapping[str, Sequence[DeltaRow]]]:
        """Returns a generation's deltas at or above `cut`, resets and marks included. One without any is absent.

        The read may begin before it is awaited. Raises StatementRefused if the generation's table was dropped, and
        TooManyDeltas.
        """


StoreSource = Callable[[], ViewStore]
"""Returns the store once it is connected. Raises StoreUnavailable with the reason until then."""
