"""Makes the demo's home: a home of its own inside the user's, on free ports, emptied before each run."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from common.errors import StackError
from common.settings import HOME_FILE, ServingSettings, Settings, StackSettings
from infra.local.stack import ports, servers
from infra.local.stack.home import Home
from infra.local.stack.process import read_pid_file

_PORTS_OF_A_STACK: Final = 5
_TRIES: Final = 50
STOP_SECONDS: Final = 20.0


def demo_settings(settings: Settings) -> Settings:
    """Returns the demo's settings: the user's for servers and processes; a log, tables and a home of its own."""
    return Settings(
        home=settings.home / "demo",
        stack=settings.stack,
        speed=settings.speed,
        batch=settings.batch.model_copy(update={"warehouse": ""}),
        serving=settings.serving,
    )


@contextmanager
def fresh_home(settings: Settings) -> Iterator[Settings]:
    """Yields the settings for an empty demo home on free ports, and holds its lock meanwhile.

    What an earlier demo left running there is stopped. The user's own home, around it, is not touched. Raises
    StackError if a demo runs there already.
    """
    around = settings.home.parent
    (around / "run").mkdir(parents=True, exist_ok=True)
    with (around / "run" / "demo.lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(f"a demo runs in {settings.home} already; end it with Ctrl-C in its terminal") from error
        clear(settings)
        placed = settings.model_copy(update={"stack": _on_free_ports(settings), "serving": _serving(settings)})
        Home.of(placed).claim()
        remembered = f"LAMBDA360_SERVING_PORT={placed.serving.port}\n"
        (placed.home / HOME_FILE).write_text(remembered, encoding="utf-8")
        yield placed


def clear(settings: Settings) -> None:
    """Stops what an earlier demo left running, and deletes its home."""
    for path in sorted((settings.home / "run").glob("demo-*.pid")):
        process = read_pid_file(path)
        if process is not None and process.is_alive:
            process.stop(STOP_SECONDS)
    if Home.of(settings).is_claimed:
        servers.reset(settings)


def _on_free_ports(settings: Settings) -> StackSettings:
    for base in range(settings.stack.port_base, 65_530, 10)[:_TRIES]:
        if all(ports.is_free(base + number) for number in range(_PORTS_OF_A_STACK)):
            return settings.stack.model_copy(update={"port_base": base})
    raise StackError(f"no five free ports from {settings.stack.port_base} on; set LAMBDA360_STACK_PORT_BASE")


def _serving(settings: Settings) -> ServingSettings:
    for port in range(settings.serving.port, 65_535)[:_TRIES]:
        if ports.is_free(port):
            return settings.serving.model_copy(update={"port": port})
    raise StackError(f"no free port from {settings.serving.port} on; set LAMBDA360_SERVING_PORT")
