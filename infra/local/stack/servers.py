"""Start, stop and look at the servers of one home; every call may be repeated."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import StackError
from common.settings import Settings
from infra.context import Report, quiet
from infra.local.stack.cassandra import Cassandra
from infra.local.stack.home import Home
from infra.local.stack.kafka import Kafka
from infra.local.stack.process import read_pid_file
from infra.local.stack.server import Server
from infra.local.stack.start import STOP_SECONDS, log_of, record_of, running, start, stop
from speed_layer.operate import seats

SERVERS: Final[Mapping[str, Server]] = {server.name: server for server in (Cassandra(), Kafka())}
"""In starting order: Cassandra takes longest."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server as seen from outside; `state` is running, silent (it does not answer), dead or stopped."""

    name: str
    state: str
    pid: int | None
    ports: Mapping[str, int]
    log: Path


def up(settings: Settings, report: Report = quiet) -> None:
    """Both servers run and answer, and the home remembers their ports. What runs already is left alone.

    Raises StackError with what stands in the way; then whatever this call started is stopped again.
    """
    start(settings, list(SERVERS.values()), report)


def down(settings: Settings, report: Report = quiet) -> None:
    """No server of this home runs; their data stays."""
    home = Home.of(settings)
    if not home.is_claimed:
        report(f"nothing to stop: {home.path} is no lambda360 home")
        return
    with home.locked():
        stop(settings, list(SERVERS), report)


def reset(settings: Settings, report: Report = quiet) -> None:
    """No server of this home runs, and the home is gone: data, warehouse, logs and remembered settings.

    Raises StackError while a worker runs: others would take its seat with the lock's file gone.
    """
    home = Home.of(settings)
    if pids := [each.pid for each in seats.occupants(home.path) if seats.is_alive(home.path, each)]:
        raise StackError(f"workers of {home.path} run (pid {', '.join(map(str, pids))}): stop them first")
    if home.path.exists() and not home.is_claimed:
        home.delete()
    down(settings, report)
    if home.path.exists():
        home.delete()
        report(f"deleted {home.path}")


def status(settings: Settings) -> tuple[ServerStatus, ...]:
    """Every server of this home as it is now."""
    return tuple(_status(settings, server) for server in SERVERS.values())


def start_server(settings: Settings, name: str, report: Report = quiet) -> int:
    """The pid of the one server `name`, which runs and answers. Raises StackError as `up` does."""
    start(settings, [SERVERS[name]], report)
    process = running(settings, name)
    if process is None:
        raise StackError(f"{name} ended right after it answered; see {log_of(settings, name)}")
    return process.pid


def stop_server(settings: Settings, name: str, report: Report = quiet) -> None:
    """The one server `name` does not run; it was asked to stop, and killed only if it did not."""
    with Home.of(settings).locked():
        stop(settings, [name], report)


def signal_server(settings: Settings, name: str, number: signal.Signals) -> int | None:
    """The pid of the running server that was given the signal (SIGKILL: it is gone); None if it does not run."""
    process = running(settings, name)
    if process is None or not process.send(number):
        return None
    if number is signal.SIGKILL:
        process.wait(STOP_SECONDS)
    return process.pid


def pid_of(settings: Settings, name: str) -> int | None:
    """The pid of server `name`, if it runs."""
    process = running(settings, name)
    return process.pid if process else None


def _status(settings: Settings, server: Server) -> ServerStatus:
    process = running(settings, server.name)
    if process:
        state = "running" if server.answers(settings) else "silent"
    else:
        state = "dead" if read_pid_file(record_of(settings, server.name)) else "stopped"
    pid = process.pid if process else None
    return ServerStatus(server.name, state, pid, server.ports(settings), log_of(settings, server.name))
