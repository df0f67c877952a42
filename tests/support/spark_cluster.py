"""A Spark standalone cluster on this machine: a master and two workers with one core each."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pyspark

_SPARK_CLASS: Final = Path(pyspark.__file__).parent / "bin" / "spark-class"
_WORKERS: Final = 2
_START_SECONDS: Final = 120.0


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """Yields the cluster's URL once both workers are there; `folder` holds its logs and work. Ends what it started."""
    folder.mkdir(parents=True, exist_ok=True)
    port, page, *pages = _free_ports(2 + _WORKERS)
    url = f"spark://127.0.0.1:{port}"
    started = [_start(folder, "master", "Master", "--port", str(port), "--webui-port", str(page))]
    try:
        _wait(page, 0)
        for number, own in enumerate(pages):
            work = ("--cores", "1", "--memory", "1g", "--webui-port", str(own), "--work-dir", str(folder / f"{number}"))
            started.append(_start(folder, f"worker-{number}", "Worker", *work, url))
        _wait(page, _WORKERS)
        yield url
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _start(folder: Path, name: str, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [str(_SPARK_CLASS), f"org.apache.spark.deploy.{kind.lower()}.{kind}", "--host", "127.0.0.1", *arguments]
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait(page: int, workers: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            found = httpx.get(f"http://127.0.0.1:{page}/json/", timeout=5.0).json()
            if found["aliveworkers"] >= workers:
                return
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"the cluster has not {workers} workers after {_START_SECONDS:.0f} s")
