"""Forwards the alerts of the speed layer: from their topic into the outbox, and from there to the webhook.

A message's offset is committed once its alert is kept; so every alert is sent at least once, under the alert's own id.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from common.errors import LogError, StoreUnavailable
from common.log.copy_events import decode_alert_event
from common.log.position import Position
from common.servers.delivery import Delivery
from common.servers.notifications import ALERTS, PAGE, Notification
from serving_layer.live.contact import Contact

POLL_SECONDS: Final = 0.5
_PASSING: Final = (KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED)  # noqa: SLF001 # the client's names
"""After a long wait for the store the client has left its group; it joins again by itself."""
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Forwarder:
    """Reads from `client`, which is subscribed, keeps in the delivery's outbox, and sends.

    `clock` returns seconds that never go back. At most PAGE alerts are in memory; what the webhook does not take waits
    in the outbox.
    """

    client: Consumer
    delivery: Delivery
    contact: Contact
    clock: Callable[[], float]
    _pending_since: int | None = field(default=0, init=False)
    """Nothing before this moment (microseconds, UTC) is pending; None: nothing at all. At the start, all may be."""
    _not_before: float = field(default=0.0, init=False)

    def turn(self) -> None:
        """Keeps what has arrived and commits it, then sends what is pending. Raises LogError."""
        messages = [each for each in self.client.consume(PAGE, timeout=POLL_SECONDS) if _is_message(each)]
        self.contact.check(self._answers)
        if messages:
            self._keep([_notification(each) for each in messages])
            self._commit(messages)
        if self._pending_since is not None and self.clock() >= self._not_before:
            self._send(self._pending_since)

    def _answers(self) -> bool:
        try:
            self.client.list_topics(timeout=POLL_SECONDS)
        except KafkaException:
            return False
        return True

    def _keep(self, notifications: Sequence[Notification]) -> None:
        """Waits for a store that is away: what is not kept must not be committed."""
        for notification in notifications:
            while not self._is_kept(notification):
                log.warning("unavailable", server="cassandra", action="retry", waiting=len(notifications))
        earliest = min(each.at for each in notifications)
        self._pending_since = earliest if self._pending_since is None else min(earliest, self._pending_since)

    def _is_kept(self, notification: Notification) -> bool:
        try:
            self.delivery.outbox.keep(notification)  # it has a patience of its own
        except StoreUnavailable:
            return False
        return True

    def _commit(self, messages: Sequence[Message]) -> None:
        ends = [TopicPartition(each.topic() or "", p, offset + 1) for each, (p, offset) in _positions(messages)]
        last = {at.partition: at for at in ends}
        try:
            self.client.commit(offsets=list(last.values()), asynchronous=False)
        except KafkaException as error:  # they are read again, and kept in the same rows
            log.warning("not_committed", server="kafka", error=error.args[0].str())

    def _send(self, since: int) -> None:
        try:
            done = self.delivery.run(ALERTS, since=since, most=PAGE)
        except StoreUnavailable as error:
            log.warning("unavailable", server="cassandra", action="retry", error=error)
        else:
            self._pending_since = done.stopped_at
            if done.sent:
                log.info("alerts forwarded", sent=done.sent, refused=done.refused)
            if not done.failure:
                return
        self._not_before = self.clock() + self.delivery.settings.retry_max_seconds


def _positions(messages: Sequence[Message]) -> list[tuple[Message, Position]]:
    return [(each, Position(each.partition() or 0, each.offset() or 0)) for each in messages]


def _is_message(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.code() in _PASSING:
        return False
    raise LogError(f"the alerts cannot be read: {error.str()}")


def _notification(message: Message) -> Notification:
    """Its time is the broker's, so that a message that is read again is kept in the same row."""
    body = message.value() or b""
    try:
        event = decode_alert_event(body)
    except msgspec.DecodeError as error:
        at = Position(message.partition() or 0, message.offset() or 0)
        raise LogError(f"this release cannot read the message at {at} of {message.topic()}: {error}") from error
    return Notification(queue=ALERTS, at=message.timestamp()[1] * 1000, id=event.id, body=body.decode())
