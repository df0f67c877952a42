"""Publishes copies of stored rows to the topics `customer_deltas` and `customer_alerts` (R14)."""

from collections.abc import Iterable, Sequence

from common.log.copies import Copy, alert_event, delta_event
from common.settings import Settings
from speed_layer.publish.publisher import Outgoing, Publisher


class Copies:
    """Turns copies into messages."""

    def __init__(self, settings: Settings, publisher: Publisher, logic_version: str) -> None:
        self._deltas = settings.log.deltas_topic
        self._alerts = settings.log.alerts_topic
        self._publisher = publisher
        self._logic_version = logic_version

    async def messages(self, copies: Sequence[Copy]) -> Sequence[Outgoing]:
        """Returns the message of each copy, and those of its alerts, in the copies' order."""
        return await self._publisher.made(lambda: list(self._messages(copies))) if copies else ()

    def _messages(self, copies: Iterable[Copy]) -> Iterable[Outgoing]:
        for copy in copies:
            key = copy.customer_id.encode()
            yield Outgoing(self._deltas, key, delta_event(copy, self._logic_version), copy.position.partition)
            for alert in copy.alerts:
                yield Outgoing(self._alerts, key, alert_event(copy, alert), copy.position.partition)
