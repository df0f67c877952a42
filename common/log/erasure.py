"""An erasure as the log holds it, and which records it forgets (R24). Pure."""

from dataclasses import dataclass

from common.log.position import Position


@dataclass(frozen=True, slots=True)
class Erasure:
    """A customer's last erasure."""

    customer_id: str
    position: Position
    appended_at: int
    """Microseconds since the epoch, UTC."""

    def forgets(self, position: Position, appended_at: int) -> bool:
        """Returns whether a record of the customer at `position` came before the erasure.

        In the customer's own partition offsets decide. A record in another partition, which validation rejected, is
        compared by append time; one of the same time counts as before.
        """
        if position.partition == self.position.partition:
            return position.offset < self.position.offset
        return appended_at <= self.appended_at
