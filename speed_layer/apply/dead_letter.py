"""A record that validation rejected, as it lies in the log (R14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from common.errors import RejectedRecord
from common.log.dead_letters import Address
from common.log.position import Position
from speed_layer.apply.delivered import Delivered


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected record as it lies in the log."""

    topic: str
    position: Position
    key: bytes | None
    value: bytes | None
    appended_at: int
    rejection: RejectedRecord
    headers: Sequence[tuple[str, bytes | None]] = ()

    @classmethod
    def of(cls, topic: str, record: Delivered, error: RejectedRecord) -> Self:
        return cls(
            topic=topic,
            position=Position(record.link.lane.partition, record.offset),
            key=record.key,
            value=record.value,
            appended_at=record.appended_at,
            rejection=error,
            headers=record.headers,
        )

    @property
    def address(self) -> Address:
        """The row of a record that is no replay."""
        return Address.of(self.position, self.appended_at)
