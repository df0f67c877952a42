"""Notices that the pointer names another generation of the speed tables than this worker writes (R13)."""

import asyncio
from typing import Final

import structlog

from common.algebra import pointer
from common.algebra.generation import Generation, generation_of
from common.algebra.pointer import NAME
from common.errors import PointerUnreadable, StoreUnavailable
from common.servers.cassandra import AsyncSession
from common.tables import Tables

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 1.0


class GenerationWatch:
    """Reads the pointer about once a second. `mine` is the generation that this worker writes."""

    def __init__(self, session: AsyncSession, mine: Generation) -> None:
        self._session = session
        self._mine = mine
        self._read = session.driver.prepare(f"SELECT value FROM {Tables.batch_pointer} WHERE name = ?")

    async def until_switch(self) -> Generation:
        """Returns the generation that the pointer names, once it is another one that this release can read.

        Cassandra may be away meanwhile.
        """
        while True:
            try:
                found = await self._look()
            except (StoreUnavailable, PointerUnreadable) as error:  # a newer release may write the pointer already
                log.debug("generation_unknown", error=error)
            else:
                if found.number != self._mine.number:
                    return found
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> Generation:
        rows = await self._session.execute(self._read.bind((NAME,)))
        return generation_of(pointer.decode(rows[0].value if rows else None))
