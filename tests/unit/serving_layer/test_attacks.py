"""Hostile clients against a server in a process of its own: each gets its status, and memory stays bounded."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import psutil
import pytest

from tests.support.guarded import Process, process
from tests.support.harness import wait_until

MEBIBYTE = 2**20
BATCH_GET = "/v1/customers/metrics:batch-get"
JSON = b"Content-Type: application/json\r\n"
SETTINGS = {
    "LAMBDA360_ACCESS_HEADER_SECONDS": "2",
    "LAMBDA360_ACCESS_BODY_SECONDS": "1",
    "LAMBDA360_ACCESS_WRITE_SECONDS": "1",
    "LAMBDA360_ACCESS_MAX_CONNECTIONS": "300",
    "LAMBDA360_LIVE_CLIENTS": "3",
    "LAMBDA360_LIVE_HEARTBEAT_SECONDS": "0.2",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    with process(SETTINGS) as found:
        httpx.get(f"{found.url}/v1/customers/ada/metrics").raise_for_status()
        yield found


@pytest.fixture(autouse=True)
def bounded(server: Process, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test does, the server needs little memory for it, and answers afterwards."""
    measured = psutil.Process(server.popen.pid)
    before = measured.memory_info().rss
    yield
    grown = (measured.memory_info().rss - before) / MEBIBYTE
    with capsys.disabled():
        print(f"  [{request.node.name}: {before / MEBIBYTE:.0f} MiB before, {grown:+.1f} MiB]", end="")  # noqa: T201
    assert grown < 40
    assert httpx.get(f"{server.url}/v1/customers/ada/metrics").status_code == 200


async def said(server: Process, *parts: bytes, pause: float = 0.0, seconds: float = 10.0) -> bytes:
    """What the server answers to these bytes, until it ends the connection or has nothing to say for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def send() -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            return head + await reader.readexactly(int(length.partition(b":")[2]))
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


def status(answer: bytes) -> int:
    """The status of an answer; whatever is refused is a problem with the security headers."""
    head, _, body = answer.partition(b"\r\n\r\n")
    code = int(head.split()[1])
    if code >= 400:
        assert b"application/problem+json" in head
        assert b"content-security-policy: default-src 'none'" in head
        assert json.loads(body)["status"] == code
    return code


def test_clients_that_send_their_headers_slowly_get_a_408_and_stop_nobody(server: Process) -> None:
    """Slowloris: 200 connections, each with a byte now and then. An honest request is answered meanwhile."""

    async def story() -> list[int]:
        drip = [b"GET /v1/customers/ada/metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", *[b"x"] * 100]
        slow = [asyncio.create_task(said(server, *drip, pause=0.1)) for _ in range(200)]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        async with httpx.AsyncClient() as client:
            honest = await client.get(f"{server.url}/v1/customers/ada/metrics")
        assert honest.status_code == 200
        assert time.monotonic() - started < 5
        return [status(answer) for answer in await asyncio.gather(*slow)]

    started = time.monotonic()
    assert asyncio.run(story()) == [408] * 200
    assert time.monotonic() - started < 25


@pytest.mark.parametrize("first", [b"", b"\r\n"])
def test_a_connection_that_begins_no_request_gets_a_408(server: Process, first: bytes) -> None:
    assert status(asyncio.run(said(server, first))) == 408


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize(
    ("behind", "later"),
    [(b"", b""), (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b""), (b"", b"\x00\x01\r\n\r\n")],
)
def test_a_stream_ends_with_its_client_whatever_came_behind_its_request(
    server: Process, behind: bytes, later: bytes, *, is_reset: bool
) -> None:
    """A place that such a stream kept would be lost for good."""
    for _ in range(6):  # twice as many as there are places
        wait_until(lambda: streams(server) == 200, 20, "there is a place")
        with closing(socket.create_connection(("127.0.0.1", server.port))) as client:
            client.sendall(b"GET /v1/deltas HTTP/1.1\r\nHost: localhost\r\n\r\n" + behind)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            client.sendall(later)
            if is_reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: streams(server) == 200, 20, "there is a place")


def streams(server: Process) -> int:
    """The status of one more stream."""
    with httpx.stream("GET", f"{server.url}/v1/deltas") as response:
        return response.status_code


@pytest.mark.parametrize(("host", "code"), [(b"localhost", 200), (b"example.org", 421)])
def test_a_client_that_has_said_all_gets_its_answer(server: Process, host: bytes, code: int) -> None:
    """It closes its side of the connection after the request, as `nc -N` does."""
    for _ in range(10):
        with closing(socket.create_connection(("127.0.0.1", server.port))) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as answer:
                assert status(answer.read()) == code


def test_a_body_that_does_not_arrive_is_a_408(server: Process) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 100\r\n\r\n{" % (BATCH_GET.encode(), JSON)
    assert status(asyncio.run(said(server, head, b" ", b" ", pause=0.5))) == 408


def test_an_id_of_a_megabyte(server: Process) -> None:
    """In the path it is a 414; in a body it is one wrong id, which fails alone."""
    path = b"GET /v1/customers/" + b"x" * 1_000_000 + b"/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert status(asyncio.run(said(server, path))) == 414
    query = b"GET /v1/customers/ada/metrics?as_of=" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert status(asyncio.run(said(server, query))) == 414
    answer = httpx.post(server.url + BATCH_GET, json={"customer_ids": ["x" * 1_000_000, "ada"]})
    assert [each["status"] for each in answer.json()["results"]] == ["error", "ok"]


def test_ten_thousand_ids_in_a_batch_get_are_a_422(server: Process) -> None:
    answer = httpx.post(server.url + BATCH_GET, json={"customer_ids": [f"c{number}" for number in range(10_000)]})
    assert (answer.status_code, answer.json()["field"]) == (422, "customer_ids")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_100_megabytes_is_a_413(server: Process, declared: bool) -> None:
    """It is not read: neither where its length says so, nor where it comes in chunks."""
    length = b"Content-Length: 100000000" if declared else b"Transfer-Encoding: chunked"
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n\r\n" % (BATCH_GET.encode(), JSON, length)
    piece = b"x" * 65_536
    pieces = [piece if declared else b"10000\r\n" + piece + b"\r\n"] * 1526
    before = psutil.Process(server.popen.pid).cpu_times().user
    assert status(asyncio.run(said(server, head, *pieces))) == 413
    assert psutil.Process(server.popen.pid).cpu_times().user - before < 2


def test_headers_of_a_megabyte_are_a_431(server: Process) -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    whole = head + b"X-Large: " + b"x" * 1_000_000 + b"\r\n\r\n"
    many = head + b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n"
    for sent in (whole, many):
        assert status(asyncio.run(said(server, sent))) == 431


def test_a_header_without_an_end_is_a_431(server: Process) -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: "
    assert status(asyncio.run(said(server, head, *[b"x" * 65_536] * 1000))) == 431


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /v1/customers/%ff%fe/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 422),
        (b"GET /v1/customers/\xff\xfe/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/customers/ada/metrics?as_of=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 422),
        (b"GET /v1/customers/ada/metrics?as_of=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/customers/ada/metrics HTTP/1.1\r\nHost: \xff\r\n\r\n", 421),
        (b"GET /v1/customers/ada/metrics HTTP/1.1\r\nHost: localhost\r\nX-API-Key: \xff\xfe\r\n\r\n", 401),
        (b"GET /v1/deltas HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: \xff\r\n\r\n", 422),
        (b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 3\r\n\r\n[\xff]" % (BATCH_GET.encode(), JSON), 422),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 421),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_broken_text_and_what_is_no_request(server: Process, sent: bytes, expected: int) -> None:
    assert status(asyncio.run(said(server, sent))) == expected


def test_more_connections_than_may_be_are_a_503(server: Process) -> None:
    async def story() -> tuple[int, int]:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(300)]
        try:
            answer = await said(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"retry-after: 5" in answer
            refused = status(answer)
        finally:
            for _, writer in idle:
                writer.transport.abort()
        await asyncio.sleep(0.2)
        return refused, status(await said(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    assert asyncio.run(story()) == (503, 200)


async def unread(server: Process, requests: list[bytes], seconds: float) -> int:
    """Sends requests in one go, and reads nothing for so long. Returns how many bytes there are to be read then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport can
    got = 0
    try:
        writer.write(b"".join(requests))
        await asyncio.sleep(seconds)
        writer.transport.resume_reading()  # type: ignore[attr-defined] # likewise
        while chunk := await asyncio.wait_for(reader.read(MEBIBYTE), 10):
            got += len(chunk)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return got


def test_ten_thousand_requests_in_one_go_end_the_connection(server: Process) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    size = len(httpx.get(f"{server.url}/openapi.json").content)
    assert asyncio.run(unread(server, [request] * 10_000, 0.5)) < 100 * size


def test_a_client_that_does_not_read_is_cut_off(server: Process) -> None:
    """Its answers fill what buffers there are; then it has as long as the setting says."""
    body = json.dumps({"customer_ids": ["ada"] * 1000}).encode()
    size = len(httpx.post(server.url + BATCH_GET, content=body, headers={"Content-Type": "application/json"}).content)
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n"
    requests = [head % (BATCH_GET.encode(), JSON, len(body)) + body] * 16
    assert asyncio.run(unread(server, requests, 3.0)) < 14 * size
