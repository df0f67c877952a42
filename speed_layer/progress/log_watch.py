"""A worker's questions to Kafka about its log: identity (R1), first and end offsets, expired offsets."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from common.errors import LogError, LogUnavailable
from common.servers import kafka
from common.servers.log_identity import LogIdentity, compare
from common.settings import Settings
from speed_layer.progress.table import horizon

log = structlog.get_logger(__name__)


class Watch(Protocol):
    """A worker's questions about its log. Each call raises LogUnavailable if Kafka does not answer."""

    async def check(self) -> None: ...

    async def confirm(self) -> None: ...

    async def ends(self) -> Mapping[int, int]: ...

    async def lasts(self) -> Mapping[int, int]: ...

    async def firsts(self) -> Mapping[int, int]: ...

    async def expired_below(self, now: int) -> Mapping[int, int]: ...


class LogWatch:
    """The recorded log in Kafka. Each call is a few requests, off the event loop."""

    def __init__(self, settings: Settings, recorded: LogIdentity) -> None:
        self._settings, self.recorded = settings, recorded

    async def check(self) -> None:
        """Raises LogError if the topic is another one than was recorded; Kafka out of reach is no difference (R1)."""
        try:
            await self.confirm()
        except LogUnavailable as error:
            log.warning("unavailable", server=error.server, action="go_on", error=error)

    async def confirm(self) -> None:
        """Returns once the topic was seen to be the recorded one: so is whatever was read from it before.

        Raises LogError if it is another one, LogUnavailable if it was not seen.
        """
        try:
            found = await asyncio.to_thread(kafka.topic_identity, self._settings, self.recorded.topic)
        except LogError as error:  # missing, and perhaps made again soon: what it is then will be seen
            raise LogUnavailable(str(error)) from error
        compare(self.recorded, found)

    async def ends(self) -> Mapping[int, int]:
        """Returns the last stable offset by partition. Raises LogUnavailable if Kafka does not answer."""
        return await asyncio.to_thread(kafka.end_offsets, self._settings, self.recorded.partitions)

    async def lasts(self) -> Mapping[int, int]:
        """Returns the offset after the last record by partition, records behind an open transaction included.

        Raises LogUnavailable if Kafka does not answer.
        """
        return await asyncio.to_thread(kafka.last_offsets, self._settings, self.recorded.partitions)

    async def firsts(self) -> Mapping[int, int]:
        """Returns the log's first offset by partition. Raises LogUnavailable if Kafka does not answer."""
        return await asyncio.to_thread(kafka.first_offsets, self._settings, self.recorded.partitions)

    async def expired_below(self, now: int) -> Mapping[int, int]:
        """Returns the offset by partition below which deltas may have expired by `now`. Raises LogUnavailable."""
        ends = await self.ends()  # first: a record that is appended meanwhile is alive
        at = horizon(now, self._settings.speed.delta_ttl_days)
        found = await asyncio.to_thread(kafka.offsets_at, self._settings, self.recorded.partitions, at)
        return {partition: min(offset, ends[partition]) for partition, offset in found.items()}
