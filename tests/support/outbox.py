"""An outbox in memory, which says what was done to it in what order, and can be away."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from common.servers.notifications import BATCH, Notification


@dataclass
class MemoryOutbox:
    """`on_write` is called before each write, with its name and the notification; it may raise."""

    clock: Callable[[], int] = lambda: 7
    rows: dict[tuple[str, int, int, str], Notification] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    on_write: Callable[[str, str], None] = lambda name, id_: None

    def keep(self, notification: Notification) -> None:
        self._wrote("keep", notification)
        self.rows.setdefault(notification.key, notification)

    def pending(self, queue: str, since: int = 0) -> Iterator[Notification]:
        return (each for each in self.kept(queue, since) if each.delivered_at is None)

    def kept(self, queue: str, since: int = 0) -> Iterator[Notification]:
        for key in sorted(self.rows):
            if key[0] == queue and key[2] >= since and key in self.rows:
                yield self.rows[key]

    def delivered(self, notification: Notification) -> None:
        self._wrote("delivered", notification)
        self.rows[notification.key] = replace(notification, delivered_at=self.clock(), failure="")

    def failed(self, notification: Notification, why: str) -> None:
        self._wrote("failed", notification)
        self.rows[notification.key] = replace(notification, failure=why)

    def left(self, queue: str = BATCH) -> list[str]:
        """The ids that are pending, in order."""
        return [each.id for each in self.pending(queue)]

    def _wrote(self, name: str, notification: Notification) -> None:
        self.on_write(name, notification.id)
        self.writes.append((name, notification.id))
