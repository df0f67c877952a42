"""Retries of a request to Cassandra for a bounded time, for the steps of a batch and for commands. Knows no step."""

from collections.abc import Callable
from typing import Final, TypeVar

import stamina
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from common.errors import StoreUnavailable
from common.servers.cassandra import UNAVAILABLE

log = structlog.get_logger(__name__)
T = TypeVar("T")
PATIENCE_SECONDS: Final = 60.0


def patiently(ask: Callable[[], T], what: str, patience_seconds: float = PATIENCE_SECONDS) -> T:
    """Repeats `ask` until Cassandra answers, and returns what `ask` returns. `ask` must be idempotent.

    The pauses double from 0.1 to 5 seconds, each with up to half a second of jitter. Raises StoreUnavailable, which
    names `what` was asked, if Cassandra did not answer for `patience_seconds`.
    """
    set_on_retry_hooks([report_retry])  # replaces stamina's own hooks: a line of another form, and a Prometheus counter
    again = stamina.RetryingCaller(attempts=None, timeout=patience_seconds, wait_jitter=0.5)
    try:
        return again(UNAVAILABLE, ask)
    except UNAVAILABLE as error:
        text = f"{what}: Cassandra did not answer for {patience_seconds:g} s: {error}"
        raise StoreUnavailable(text) from error


def report_retry(details: RetryDetails) -> None:
    """Logs that a request is repeated: the hook of all our retries by stamina, which has one set of hooks for all."""
    server = getattr(details.caused_by, "server", "cassandra")  # the driver's errors name no server
    pause = round(details.wait_for, 1)
    log.warning("unavailable", server=server, action="retry", pause_seconds=pause, error=details.caused_by)
