"""Starts and stops servers: checks disk and ports first, waits for answers, and reports why a start failed."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common.errors import StackError
from common.settings import Settings
from infra.context import Report, quiet
from infra.local.stack import ports
from infra.local.stack.home import PORT_BASE, Home
from infra.local.stack.process import Process, read_pid_file, spawn, write_pid_file
from infra.local.stack.server import Server

STOP_SECONDS: Final = 30.0
_LOG_LINES: Final = 15
_MIB: Final = 1024 * 1024


def start(settings: Settings, servers: Sequence[Server], report: Report) -> None:
    """Starts those of `servers` that do not run, and waits until all of them answer.

    Raises StackError with the reason if that fails; the servers that this call started are then stopped again.
    """
    home = Home.of(settings)
    home.claim()
    with home.locked():
        missing = [server for server in servers if not _runs_already(settings, server, report)]
        if missing:
            _check_disk(settings)
            _check_ports(settings, missing)
            home.remember_ports(settings.stack.port_base)
        try:
            for server in missing:
                _launch(settings, server, report)
            _wait_for_answers(settings, servers, report)
        except BaseException:  # also after Ctrl-C
            stop(settings, [server.name for server in missing], quiet)
            raise


def stop(settings: Settings, names: Sequence[str], report: Report) -> None:
    """Stops these servers, and deletes their pid files. All of them are asked to stop before one is waited for."""
    processes = {name: running(settings, name) for name in names}
    for process in processes.values():
        if process:
            process.ask_to_stop()
    for name, process in processes.items():
        if process:
            stopped = process.stop(STOP_SECONDS)
            report(f"{name}: stopped" if stopped else f"{name}: did not stop in {STOP_SECONDS:.0f} s, so it was killed")
        elif read_pid_file(pid_file_of(settings, name)):
            report(f"{name}: had ended already; its pid file is removed")
        else:
            report(f"{name}: not running")
        pid_file_of(settings, name).unlink(missing_ok=True)


def running(settings: Settings, name: str) -> Process | None:
    """Returns the living process of the server `name` in this home, or None."""
    process = read_pid_file(pid_file_of(settings, name))
    return process if process and process.is_alive else None


def pid_file_of(settings: Settings, name: str) -> Path:
    return Home.of(settings).run / f"{name}.pid"


def log_of(settings: Settings, name: str) -> Path:
    return Home.of(settings).logs / f"{name}.log"


def _runs_already(settings: Settings, server: Server, report: Report) -> bool:
    """Returns whether the server runs. Raises StackError if it runs on other ports than the settings name."""
    process = running(settings, server.name)
    remembered = Home.of(settings).port_base
    if process is None:
        if read_pid_file(pid_file_of(settings, server.name)):
            report(f"{server.name}: its pid file names a process that is gone; starting it again")
        return False
    if remembered not in (None, settings.stack.port_base):
        raise StackError(
            f"{server.name} already runs in {settings.home} on ports from {remembered}, but {PORT_BASE} says "
            f"{settings.stack.port_base}; unset it, or run `lambda360 stack down` first"
        )
    report(f"{server.name}: already running (pid {process.pid})")
    return True


def _check_disk(settings: Settings) -> None:
    free = shutil.disk_usage(Home.of(settings).path).free // _MIB
    wanted = settings.stack.min_free_disk_mib
    if free < wanted:
        raise StackError(
            f"only {free} MiB are free on the disk of {Home.of(settings).path}, and a start needs {wanted}; free some, "
            "set LAMBDA360_HOME to a folder on another disk, or lower LAMBDA360_STACK_MIN_FREE_DISK_MIB"
        )


def _check_ports(settings: Settings, servers: Sequence[Server]) -> None:
    wanted = [(server.name, use, port) for server in servers for use, port in server.ports(settings).items()]
    taken = [f"{port} ({name}, {use}) by {ports.owner(port)}" for name, use, port in wanted if not ports.is_free(port)]
    if taken:
        raise StackError(
            f"port taken: {'; '.join(taken)}. Stop its owner, or set {PORT_BASE} to the first of five free ports"
        )


def _launch(settings: Settings, server: Server, report: Report) -> None:
    server.prepare(settings)
    output = Home.of(settings).logs / f"{server.name}.out"
    process = spawn(server.command(settings), output, {**os.environ, "LC_ALL": "C.UTF-8"})
    write_pid_file(pid_file_of(settings, server.name), process)
    report(f"{server.name}: starting (pid {process.pid})")


def _wait_for_answers(settings: Settings, servers: Sequence[Server], report: Report) -> None:
    began = time.monotonic()
    waiting = list(servers)
    while waiting:
        for server in tuple(waiting):
            if running(settings, server.name) is None:
                raise StackError(f"{server.name} ended while starting; {_log_end(settings, server.name)}")
            if server.answers(settings):
                waiting.remove(server)
                report(f"{server.name}: answers on 127.0.0.1:{server.ports(settings)['clients']}")
        if waiting and time.monotonic() - began > settings.stack.start_timeout_seconds:
            raise StackError(
                f"{waiting[0].name} did not answer within {settings.stack.start_timeout_seconds:.0f} s "
                f"(LAMBDA360_STACK_START_TIMEOUT_SECONDS); {_log_end(settings, waiting[0].name)}"
            )
        time.sleep(0.1 if waiting else 0)


def _log_end(settings: Settings, name: str) -> str:
    """Returns the last lines of the server's log or, if it wrote none, of its standard output."""
    log = log_of(settings, name)
    for path in (log, log.with_suffix(".out")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        if lines:
            return f"the end of {path}:\n  " + "\n  ".join(lines[-_LOG_LINES:])
    return f"nothing was written to {log}"
