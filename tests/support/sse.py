"""A small client of server-sent events, of which a test may have hundreds."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    id: str
    text: str

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.text)

    @property
    def offset(self) -> int:
        """Of a delta."""
        offset: int = self.data["data"]["offset"]
        return offset


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of the answer, and its events; `events` ends when the server ends the answer."""

    status: int
    headers: Mapping[str, str]
    reader: asyncio.StreamReader

    async def events(self) -> AsyncGenerator[Event]:
        """Yields every event; comments and fields without an event are left out."""
        assert self.status == 200, await self.reader.read(1000)
        async for chunk in _chunks(self.reader):
            fields = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if ": " in line)
            if "event" in fields:
                yield Event(fields["event"], fields["id"], fields["data"])

    async def take(self, count: int, *, beats: bool = False) -> list[Event]:
        """Returns the next events; heartbeats do not count unless `beats`."""
        found: list[Event] = []
        events = self.events()
        async for event in events:
            if beats or event.name != "heartbeat":
                found.append(event)
            if len(found) == count:
                break
        await events.aclose()
        return found


@asynccontextmanager
async def opened(url: str, path: str = "/v1/deltas", **headers: str) -> AsyncIterator[Answer]:
    """Opens a stream, and breaks it off at the end. `Last_Event_ID` is a header, too."""
    split = urlsplit(url)
    reader, writer = await asyncio.open_connection(split.hostname, split.port)
    try:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {split.netloc}",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = int((await reader.readline()).split()[1])
        found: dict[str, str] = {}
        while (line := (await reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(": ")
            found[name.lower()] = value
        yield Answer(status, found, reader)
    finally:
        writer.transport.abort()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yields the chunks of the answer; the server sends each event as one."""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
