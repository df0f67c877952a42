"""Delivers what is kept: sent in order, then marked, so that a crash in between sends it again under the same id."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import structlog

from common.errors import CircuitOpen, NotificationRefused, Unavailable
from common.servers.breaker import Breaker
from common.servers.notifications import Notification, Outbox
from common.servers.webhook import Webhook, opened
from common.settings import NotifySettings

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Delivered:
    """What one pass over a queue did."""

    sent: int = 0
    refused: int = 0
    """Notifications that the receiver will not take; they stay pending, and the next pass tries them again."""
    failure: str = ""
    """Why the pass ended before the queue's end; empty if it did not."""
    stopped_at: int | None = None
    """The time of the first notification that may take another pass, microseconds (UTC); None if there is none."""

    @property
    def summary(self) -> str:
        """The pass in one line."""
        parts = [f"{self.sent} sent"]
        if self.refused:
            parts.append(f"{self.refused} refused")
        if self.failure:
            parts.append(f"the rest is kept: {self.failure}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends what an outbox holds to the webhook. `clock` returns microseconds since the epoch, UTC."""

    settings: NotifySettings
    outbox: Outbox
    breaker: Breaker
    clock: Callable[[], int]

    def run(self, queue: str, *, since: int = 0, seconds: float | None = None, most: int | None = None) -> Delivered:
        """Sends what is pending in the queue of `since` and later, in order, and marks it; returns what was done.

        It ends at the first one that the webhook does not take now, so that none overtakes another, or after `seconds`,
        or after `most` notifications.
        One that the receiver refuses is passed by. Never raises for the webhook; raises StoreUnavailable.
        """
        done = Delivered()
        pending = islice(self.outbox.pending(queue, since), None if most is None else most + 1)
        asyncio.run(self._bounded(pending, seconds, most, done))
        if done.refused or done.failure:
            log.warning("notifications kept", queue=queue, sent=done.sent, refused=done.refused, why=done.failure)
        return done

    async def _bounded(
        self, pending: Iterable[Notification], seconds: float | None, most: int | None, done: Delivered
    ) -> None:
        try:
            async with asyncio.timeout(seconds), opened(self.settings, self.breaker, self.clock) as webhook:
                for number, notification in enumerate(pending):
                    done.stopped_at = notification.at
                    if number == most or not await self._send(webhook, notification, done):
                        return
                done.stopped_at = None
        except TimeoutError:
            done.failure = f"{seconds or 0:g} s are over"

    async def _send(self, webhook: Webhook, notification: Notification, done: Delivered) -> bool:
        """Whether the pass may go on to the next one."""
        try:
            await webhook.send(notification.id, notification.body)
        except NotificationRefused as error:
            self.outbox.failed(notification, str(error))
            done.refused += 1
        except CircuitOpen as error:
            done.failure = str(error)
            return False
        except Unavailable as error:
            self.outbox.failed(notification, str(error))
            done.failure = str(error)
            return False
        else:
            self.outbox.delivered(notification)
            done.sent += 1
        return True


@dataclass(frozen=True, slots=True)
class Unkept:
    """An outbox of one notification, which could not be kept."""

    notification: Notification

    def keep(self, notification: Notification) -> None: ...

    def pending(self, queue: str, since: int) -> Iterator[Notification]:
        yield self.notification

    def delivered(self, notification: Notification) -> None: ...

    def failed(self, notification: Notification, why: str) -> None: ...
