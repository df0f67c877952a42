"""A record that validation rejected, as it lies in the log (R14)."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import RejectedRecord
from common.log.dead_letters import Address


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected record as it lies in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int
    rejection: RejectedRecord
    headers: Sequence[tuple[str, bytes | None]] = ()

    @property
    def address(self) -> Address:
        """The row of a record that is no replay."""
        return Address.of(self.partition, self.offset, self.appended_at)
