"""Starts, stops and shows the servers of one home. Every call may be repeated."""

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
from infra.local.stack.start import log_of, pid_file_of, running, start, stop
from speed_layer.operate import seats

SERVERS: Final[Mapping[str, Server]] = {server.name: server for server in (Cassandra(), Kafka())}
"""In the order of starting: Cassandra first, since it takes longest."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server as seen from outside.

    `state` is running, silent (it runs and does not answer), dead (it ended without being stopped) or stopped.
    """

    name: str
    state: str
    pid: int | None
    ports: Mapping[str, int]
    log: Path


def up(settings: Settings, report: Report = quiet) -> None:
    """Starts the servers that do not run, waits until both answer, and keeps their ports in the home.

    Raises StackError with the reason if that fails; the servers that this call started are then stopped again.
    """
    start(settings, list(SERVERS.values()), report)


def down(settings: Settings, report: Report = quiet) -> None:
    """Stops the servers of this home. Their data stays."""
    home = Home.of(settings)
    if not home.is_claimed:
        report(f"nothing to stop: {home.path} is not a lambda360 home")
        return
    with home.locked():
        stop(settings, list(SERVERS), report)


def reset(settings: Settings, report: Report = quiet) -> None:
    """Stops the servers of this home and deletes it: data, warehouse, logs and settings file.

    Raises StackError while a worker of this home runs, and if the folder is not marked as a home.
    """
    home = Home.of(settings)
    # With its seat's lock file deleted, another worker could take the seat of one that runs.
    if pids := [each.pid for each in seats.occupants(home.path) if seats.is_alive(home.path, each)]:
        raise StackError(f"workers of {home.path} run (pid {', '.join(map(str, pids))}): stop them first")
    if home.path.exists() and not home.is_claimed:
        home.delete()
    down(settings, report)
    if home.path.exists():
        home.delete()
        report(f"deleted {home.path}")


def status(settings: Settings) -> tuple[ServerStatus, ...]:
    """Returns every server of this home as it is now."""
    return tuple(_status(settings, server) for server in SERVERS.values())


def _status(settings: Settings, server: Server) -> ServerStatus:
    process = running(settings, server.name)
    if process:
        state = "running" if server.answers(settings) else "silent"
    else:
        state = "dead" if read_pid_file(pid_file_of(settings, server.name)) else "stopped"
    pid = process.pid if process else None
    return ServerStatus(
        name=server.name,
        state=state,
        pid=pid,
        ports=server.ports(settings),
        log=log_of(settings, server.name),
    )
