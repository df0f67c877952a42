"""Load on an API: wrk in a closed loop, and requests at a steady rate whose delays count from when they were due."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import BinaryIO, Final, NamedTuple, cast

import uvloop

CONNECTIONS: Final = 64
"""How many wrk keeps busy, where nothing is measured."""
SEVERAL: Final = (CONNECTIONS, 2 * CONNECTIONS)
"""How many wrk keeps busy, in turn. With few, the API waits for Cassandra while that waits for the API.

Requests at a steady rate have as many as the most of these.
"""
SCRIPT: Final = """
local first, count, as_of = {first}, {count}, "{as_of}"
math.randomseed({seed})
request = function()
  local id = first + math.random(0, count - 1)
  return wrk.format("GET", string.format("/v1/customers/customer-%07d/metrics?as_of=%s", id, as_of))
end
done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Closed(NamedTuple):
    """What wrk saw: answers a second, milliseconds with all connections busy, and how many connections those were."""

    rate: float
    p50: float
    p99: float
    connections: int


class Paced(NamedTuple):
    """Milliseconds from when a request was due to its last byte."""

    rate: float
    p50: float
    p99: float


class Asked(NamedTuple):
    """Whom a load asks for: so many customers, whose names are `name.format(number)`, `number` from `first` on."""

    name: str
    first: int
    size: int
    as_of: str


def several(port: int, first: int, count: int, as_of: str, seconds: int) -> list[Closed]:
    """`closed` by each of SEVERAL in turn, for so many seconds each; the greatest is the best."""
    return [closed(port, first, count, as_of, seconds, connections) for connections in SEVERAL]


def closed(port: int, first: int, count: int, as_of: str, seconds: int, connections: int = CONNECTIONS) -> Closed:
    """Asks again wherever an answer has come. Raises AssertionError if an answer was no 2xx."""
    wrk = shutil.which("wrk")
    assert wrk is not None, "wrk is not installed: apt-get install wrk"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "random.lua"
        script.write_text(SCRIPT.format(first=first, count=count, as_of=as_of, seed=time.time_ns() % 10**6))
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    requests, micros, failed, p50, p99 = map(int, line.split()[1:])
    assert not failed, output
    return Closed(requests / (micros / 1e6), p50 / 1000, p99 / 1000, connections)


def paced(port: int, asked: Asked, *, rate: float, seconds: float, kept: Path | None = None) -> Paced:
    """Asks at a steady rate, in a process of its own, however late the answers are.

    With `kept`, a line for each answer is appended to that file: the status, a space, the body. An unknown customer is
    then an answer, too. Raises AssertionError if a request was not answered.
    """
    given = [str(each) for each in (port, *asked, rate, seconds, *([kept] if kept else []))]
    command = [sys.executable, "-m", "tests.bench.serve.load", *given]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert not found["failed"], found
    return Paced(found["rate"], found["p50"], found["p99"])


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way; only as much of HTTP as our answers have."""

    def __init__(self, pool: "_Pool") -> None:
        self._pool, self._buffer, self.due = pool, b"", 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._pool.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost += 1

    def ask(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self.due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        if len(body) >= length:
            self._buffer = body[length:]
            self._pool.answered(self, head[9:12], body[:length])


class _Pool:
    def __init__(self, asked: Asked, kept: BinaryIO | None) -> None:
        self._asked, self._kept, self._random = asked, kept, Random(time.time_ns())
        self._free: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self.delays: list[float] = []
        self.failed = self.lost = 0

    def is_free(self, connection: _Connection) -> None:
        if self._waiting:
            connection.ask(self._request(), self._waiting.popleft())
        else:
            self._free.append(connection)

    def answered(self, connection: _Connection, status: bytes, body: bytes) -> None:
        self.delays.append(time.perf_counter() - connection.due)
        self.failed += status != b"200" and (self._kept is None or status != b"404")
        if self._kept is not None:
            self._kept.write(b"%s %s\n" % (status, body))
        self.is_free(connection)

    def due(self, at: float) -> None:
        if self._free:
            self._free.popleft().ask(self._request(), at)
        else:
            self._waiting.append(at)

    def _request(self) -> bytes:
        customer = self._asked.name.format(self._asked.first + self._random.randrange(self._asked.size))
        path = f"/v1/customers/{customer}/metrics?as_of={self._asked.as_of}"
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def _run(port: int, pool: _Pool, rate: float, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(max(SEVERAL)):
        await loop.create_connection(lambda: _Connection(pool), "127.0.0.1", port)
    started = time.perf_counter()
    for number in range(round(rate * seconds)):
        at = started + number / rate
        if (left := at - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        pool.due(at)
    wanted = round(rate * seconds)
    while len(pool.delays) < wanted and time.perf_counter() - started < seconds + 30:
        await asyncio.sleep(0.01)
    pool.failed += wanted - len(pool.delays) + pool.lost


def _main() -> None:
    port, name, first, size, as_of, rate, seconds, *kept = sys.argv[1:]
    started = time.perf_counter()
    with ExitStack() as opened, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        file = opened.enter_context(Path(kept[0]).open("ab")) if kept else None
        pool = _Pool(Asked(name, int(first), int(size), as_of), file)
        runner.run(_run(int(port), pool, float(rate), float(seconds)))
    delays = quantiles((1000 * each for each in pool.delays), n=100)
    reached = len(pool.delays) / (time.perf_counter() - started)
    sys.stdout.write(json.dumps({"failed": pool.failed, "rate": reached, "p50": delays[49], "p99": delays[98]}))


if __name__ == "__main__":
    _main()
