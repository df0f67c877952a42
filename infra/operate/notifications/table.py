"""The kept notifications as an operator reads them: those of erased customers are absent, and are deleted (R24)."""

from collections.abc import Iterator, Sequence
from itertools import islice

from common.log.copy_events import AlertEvent, decode_alert_event
from common.servers.notifications import ALERTS, PAGE, Notification, NotificationTable
from infra.operate.erasure.lookup import reset_offsets


class OperatorTable(NotificationTable):
    """The outbox of both queues."""

    def kept(self, queue: str, since: int = 0) -> Iterator[Notification]:
        """Yields what is kept, in order of `at`. The alerts' rows are keyed by day, so each checks its marker here."""
        found = super().kept(queue, since)
        if queue != ALERTS:
            yield from found
            return
        while page := list(islice(found, PAGE)):
            yield from self._known(page)

    def _known(self, page: Sequence[Notification]) -> Iterator[Notification]:
        events = [decode_alert_event(each.body.encode()) for each in page]
        resets = reset_offsets(self._session, {event.subject for event in events})
        for notification, event in zip(page, events, strict=True):
            if is_forgotten(event, resets.get(event.subject)):
                self.remove(notification)
            else:
                yield notification


def is_forgotten(alert: AlertEvent, reset_offset: int | None) -> bool:
    """Returns whether the customer's last erasure forgets the alert: it lies in the same partition, below it."""
    return reset_offset is not None and alert.data.offset < reset_offset
