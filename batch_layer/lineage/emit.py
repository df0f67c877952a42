"""Emits events: keeps each in the folder, and sends it to an OpenLineage endpoint, if there is one.

An endpoint that does not answer costs a run its time-out at most once, and never more: the events are kept, and
`lambda360 lineage send` sends them later.
"""

import threading
from pathlib import Path
from typing import Final

import httpx
import structlog

from batch_layer.lineage.kept import Kept
from common.settings import Settings

log = structlog.get_logger(__name__)
AGAIN: Final = "`lambda360 lineage send` sends the kept events again"


class Endpoint:
    """An HTTP endpoint that takes OpenLineage events by POST."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings.lineage
        self._transport = transport
        self.failure = ""
        """Why an event was not accepted; nothing is sent from then on."""

    def send(self, line: bytes) -> bool:
        """Sends an event, and returns whether it was accepted; otherwise `failure` says why.

        Returns after the time-out, also where the answer trickles or a name does not resolve.
        """
        if self.failure:
            return False
        outcome: list[str] = []
        # No time-out of a client covers all of a request, so the thread is left behind; it ends with the process.
        thread = threading.Thread(target=lambda: outcome.append(self._post(line)), name="lineage-endpoint", daemon=True)
        thread.start()
        thread.join(self._settings.timeout_seconds)
        self.failure = outcome[0] if outcome else f"no answer in {self._settings.timeout_seconds:g} s"
        return not self.failure

    def _post(self, line: bytes) -> str:
        """Returns why the event was not accepted; empty if it was. The text holds neither the key nor the address."""
        try:
            headers = {"Content-Type": "application/json", **self._authorization()}
            with httpx.Client(
                timeout=self._settings.timeout_seconds, transport=self._transport, trust_env=False
            ) as client:
                answer = client.post(self._settings.url, content=line, headers=headers)
        except Exception as error:  # whatever it is, it is the reason why the event was not accepted
            return _text(error)
        return "" if answer.is_success else f"it answered {answer.status_code}"

    def _authorization(self) -> dict[str, str]:
        if not self._settings.api_key_file:
            return {}
        key = Path(self._settings.api_key_file).read_text(encoding="ascii").strip()
        return {"Authorization": f"Bearer {key}"}


class Emitter:
    """Keeps events, and sends those that are new."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self.kept = Kept.of(settings)
        self._endpoint = Endpoint(settings, transport) if settings.lineage.url else None

    def emit(self, line: bytes) -> None:
        """The event is kept, and was sent once to the endpoint. Idempotent. Raises OSError if it cannot be kept."""
        if not self.kept.add(line) or self._endpoint is None or self._endpoint.failure:
            return
        if not self._endpoint.send(line):
            log.warning("lineage was not sent", reason=self._endpoint.failure, hint=AGAIN)


def _text(error: Exception) -> str:
    """The error by its class; its own text only where that cannot quote the key, as one about a header would."""
    told = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, _TELLS) else ""
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


_TELLS: Final = (httpx.NetworkError, httpx.TimeoutException)
