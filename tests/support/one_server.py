"""Starts, stops and signals one server of a home, for tests of what happens without it."""

import signal

from common.errors import StackError
from common.settings import Settings
from infra.context import Report, quiet
from infra.local.stack.home import Home
from infra.local.stack.servers import SERVERS
from infra.local.stack.start import STOP_SECONDS, log_of, running
from infra.local.stack.start import start as start_all
from infra.local.stack.start import stop as stop_all
from tests.support.freezing import wait_until_still


def start(settings: Settings, name: str, report: Report = quiet) -> int:
    """Starts the server `name` unless it runs, waits until it answers, and returns its pid.

    Raises StackError as `servers.up` does.
    """
    start_all(settings, [SERVERS[name]], report)
    process = running(settings, name)
    if process is None:
        raise StackError(f"{name} ended right after it answered; see {log_of(settings, name)}")
    return process.pid


def stop(settings: Settings, name: str, report: Report = quiet) -> None:
    """Stops the server `name`. It is killed if it does not stop when asked."""
    with Home.of(settings).locked():
        stop_all(settings, [name], report)


def send(settings: Settings, name: str, number: signal.Signals) -> int | None:
    """Sends the signal to the server `name`, and returns its pid, or None if it does not run.

    After SIGKILL it returns when the server has ended, after SIGSTOP when it does nothing any more.
    """
    process = running(settings, name)
    if process is None or not process.send(number):
        return None
    if number is signal.SIGKILL:
        process.wait(STOP_SECONDS)
    if number is signal.SIGSTOP:
        wait_until_still([process.pid])
    return process.pid


def pid_of(settings: Settings, name: str) -> int | None:
    """Returns the pid of the server `name`, or None if it does not run."""
    process = running(settings, name)
    return process.pid if process else None
