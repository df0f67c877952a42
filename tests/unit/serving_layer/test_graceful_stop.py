"""SIGTERM under load: every request that was sent is answered, and streams end with where they are."""

import asyncio
import signal
from dataclasses import dataclass

from tests.support.guarded import Process, process
from tests.support.sse import opened

CLIENTS = 20


@dataclass
class Tally:
    answered: int = 0
    failed: int = 0
    asked_to_close: int = 0


async def hammer(server: Process, customer: str, tally: Tally) -> None:
    """Asks again and again on connections that are kept, until the server takes no more."""
    request = f"GET /v1/customers/{customer}/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except ConnectionError:
            return
        is_kept = True
        while is_kept:
            writer.write(request)
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.partition(b":")[2]))
            except (ConnectionError, asyncio.IncompleteReadError):
                tally.failed += 1
                is_kept = False
            else:
                tally.answered += head.startswith(b"http/1.1 200")
                is_kept = b"connection: close" not in head
                tally.asked_to_close += not is_kept
        writer.close()


def test_no_request_fails_and_streams_say_where_they_are() -> None:
    async def story(server: Process) -> Tally:
        tally = Tally()
        customers = ["ada", "slow"] * (CLIENTS // 2)
        async with opened(server.url) as stream:
            await stream.take(1, beats=True)
            clients = [asyncio.create_task(hammer(server, customer, tally)) for customer in customers]
            await asyncio.sleep(0.6)
            server.popen.send_signal(signal.SIGTERM)
            (last,) = await stream.take(1)
            await asyncio.gather(*clients)
        assert (last.name, last.id) == ("dropped", "0:0,1:0,2:0,3:0")
        return tally

    with process({}) as server:
        tally = asyncio.run(asyncio.wait_for(story(server), 30))
        assert server.popen.wait(10) == 0
    print(tally)  # noqa: T201 # shown where the test fails
    assert tally.failed == 0
    assert tally.asked_to_close >= CLIENTS // 2
    assert tally.answered > CLIENTS
