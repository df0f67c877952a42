"""Posts one notification to the webhook, signed as Standard Webhooks says. Knows no table; no text of it has the URL.

The path of a webhook's URL is often a key, so messages name scheme and host only.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx
import stamina
import standardwebhooks
from stamina.instrumentation import set_on_retry_hooks

from common.algebra.dates import datetime_of
from common.errors import CircuitOpen, NotificationRefused, Unavailable, WebhookUnavailable
from common.servers.breaker import Breaker
from common.servers.patience import report_retry
from common.settings import NotifySettings

SERVER: Final = WebhookUnavailable.server
REFUSED: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers about the notification itself. Any other but 2xx is about the receiver, and a later attempt may succeed."""


def new_breaker(settings: NotifySettings, clock: Callable[[], float] = time.monotonic) -> Breaker:
    """Returns the webhook's circuit breaker, closed. `clock` returns seconds that never go back."""
    return Breaker(SERVER, settings.breaker_threshold, settings.breaker_recovery_seconds, clock)


@dataclass(frozen=True, slots=True)
class Webhook:
    """The receiver. `clock` returns microseconds since the epoch (UTC), which each request is signed with."""

    settings: NotifySettings
    breaker: Breaker
    clock: Callable[[], int]
    client: httpx.AsyncClient

    @property
    def name(self) -> str:
        """The receiver for messages: scheme and host."""
        return host_of(self.settings.url)

    async def send(self, id_: str, body: str) -> None:
        """Returns once the receiver has acknowledged the notification; repeats the request before it gives up.

        Raises WebhookUnavailable or, if the receiver is not called, CircuitOpen: a later call may succeed. Raises
        NotificationRefused if the receiver refuses this notification.
        """
        set_on_retry_hooks([report_retry])
        again = stamina.AsyncRetryingCaller(
            attempts=self.settings.attempts,
            timeout=None,
            wait_initial=self.settings.retry_min_seconds,
            wait_max=self.settings.retry_max_seconds,
            wait_jitter=self.settings.retry_min_seconds,
        )
        await again(_is_worth_another, self.breaker.call, lambda: self._post(id_, body))

    async def _post(self, id_: str, body: str) -> None:
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                answer = await self.client.post(self.settings.url, content=body.encode(), headers=self._head(id_, body))
        except TimeoutError as error:
            text = f"the webhook at {self.name} did not answer within {self.settings.timeout_seconds:g} s"
            raise WebhookUnavailable(text) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WebhookUnavailable(f"the webhook at {self.name} does not answer: {type(error).__name__}") from error
        if answer.is_success:
            return
        text = f"the webhook at {self.name} answered {answer.status_code}"
        if answer.status_code in REFUSED:
            raise NotificationRefused(text)
        raise WebhookUnavailable(text)

    def _head(self, id_: str, body: str) -> dict[str, str]:
        now = datetime_of(self.clock())
        signer = standardwebhooks.Webhook(self.settings.secret.get_secret_value())
        return {
            "content-type": "application/cloudevents+json",
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(id_, now, body),
        }


@asynccontextmanager
async def opened(settings: NotifySettings, breaker: Breaker, clock: Callable[[], int]) -> AsyncIterator[Webhook]:
    """Gives the webhook with a client of its own, which is closed at the end. No redirect is followed."""
    async with httpx.AsyncClient(timeout=settings.timeout_seconds, verify=_certificates()) as client:
        yield Webhook(settings, breaker, clock, client)


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """The authorities that are trusted; reading them takes a tenth of a second, and a client is made for each pass."""
    return httpx.create_ssl_context()


def host_of(url: str) -> str:
    """Returns scheme, host and port of a URL, without its user, its path and its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_worth_another(error: Exception) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, CircuitOpen)
