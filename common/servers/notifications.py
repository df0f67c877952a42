"""The table of notifications: kept before they are sent, and marked once the webhook has acknowledged them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from common.algebra.dates import MICROS_PER_DAY
from common.errors import StoreUnavailable
from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.settings import NotifySettings
from common.tables import Tables

BATCH: Final = "batch"
ALERTS: Final = "alerts"
QUEUES: Final = (BATCH, ALERTS)
PAGE: Final = 200
"""So many rows are in memory at once."""
PATIENCE_SECONDS: Final = 10.0
"""The most that one statement waits for Cassandra: a run waits no longer for what people are told of it."""
_SELECT: Final = f"SELECT at, id, body, delivered_at, failure FROM {Tables.notifications} WHERE queue = %s AND day = %s"
_KEY: Final = "queue = %s AND day = %s AND at = %s AND id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What people are told, as it is kept: `body` is the JSON of a CloudEvent, and `id` the webhook's id.

    `at` is when it happened. Times are microseconds since the epoch, UTC.
    """

    queue: str
    at: int
    id: str
    body: str
    delivered_at: int | None = None
    failure: str = ""

    @property
    def key(self) -> tuple[str, int, int, str]:
        return (self.queue, self.at // MICROS_PER_DAY, self.at, self.id)


class Outbox(Protocol):
    """What is kept of notifications. Every method raises StoreUnavailable if the store does not answer in time."""

    def keep(self, notification: Notification) -> None:
        """Keeps it as not delivered; one that is kept already stays as it is. Idempotent."""

    def pending(self, queue: str, since: int) -> Iterator[Notification]:
        """Yields what is not delivered of `since` and later, in order of `at`. It is read page by page."""

    def delivered(self, notification: Notification) -> None:
        """Marks it as delivered. Idempotent."""

    def failed(self, notification: Notification, why: str) -> None:
        """Keeps why the last attempt failed; it stays pending."""


class NotificationTable:
    """The outbox in Cassandra. `clock` returns microseconds since the epoch, UTC."""

    def __init__(self, session: Session, settings: NotifySettings, clock: Callable[[], int]) -> None:
        self._session = session
        self._days = settings.keep_days
        self._clock = clock

    def keep(self, notification: Notification) -> None:
        insert = f"INSERT INTO {Tables.notifications} (queue, day, at, id, body) VALUES (%s, %s, %s, %s, %s)"
        self._write(f"{insert} USING TTL %s", (*notification.key, notification.body, self._seconds))

    def pending(self, queue: str, since: int = 0) -> Iterator[Notification]:
        return (each for each in self.kept(queue, since) if each.delivered_at is None)

    def delivered(self, notification: Notification) -> None:
        update = f"UPDATE {Tables.notifications} USING TTL %s SET delivered_at = %s, failure = null WHERE {_KEY}"
        self._write(update, (self._seconds, self._clock(), *notification.key))

    def failed(self, notification: Notification, why: str) -> None:
        update = f"UPDATE {Tables.notifications} USING TTL %s SET failure = %s WHERE {_KEY}"
        self._write(update, (self._seconds, why, *notification.key))

    def remove(self, notification: Notification) -> None:
        """Deletes it. Idempotent."""
        self._write(f"DELETE FROM {Tables.notifications} WHERE {_KEY}", notification.key)

    def kept(self, queue: str, since: int = 0) -> Iterator[Notification]:
        """Yields what is kept of `since` and later, in order of `at`, delivered or not. It is read page by page."""
        now = self._clock()
        first = max(since, now - self._days * MICROS_PER_DAY)
        for day in range(first // MICROS_PER_DAY, now // MICROS_PER_DAY + 2):  # another machine's clock may be ahead
            yield from (each for each in self._of_day(queue, day) if each.at >= first)

    def _of_day(self, queue: str, day: int) -> Iterator[Notification]:
        select = SimpleStatement(_SELECT, fetch_size=PAGE)
        what = "reading notifications"
        rows: Any = patiently(lambda: self._session.execute(select, (queue, day)), what, PATIENCE_SECONDS)
        for row in _read(rows, what):
            if row.body is not None:  # its mark may outlive it
                yield Notification(
                    queue=queue,
                    at=row.at,
                    id=row.id,
                    body=row.body,
                    delivered_at=row.delivered_at,
                    failure=row.failure or "",
                )

    @property
    def _seconds(self) -> int:
        return self._days * 86_400

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        patiently(lambda: self._session.execute(statement, values), "writing a notification", PATIENCE_SECONDS)


def _read(rows: Iterable[Any], what: str) -> Iterator[Any]:
    """Yields the rows. The driver reads the pages behind the first one in between."""
    try:
        yield from rows
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"{what}: Cassandra did not answer: {error}") from error
