"""What a local server is: how it is prepared, run and asked whether it answers."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Protocol

from common.settings import Settings


class Server(Protocol):
    """One server of the local stack; everything it needs is in the settings."""

    @property
    def name(self) -> str: ...

    def ports(self, settings: Settings) -> Mapping[str, int]:
        """Its loopback ports by use; the first is the one clients connect to."""

    def prepare(self, settings: Settings) -> None:
        """Its configuration and data folders are there; may be repeated. Raises StackError if that fails."""

    def command(self, settings: Settings) -> Sequence[str]: ...

    def answers(self, settings: Settings) -> bool:
        """Whether a client gets a sensible answer now."""


def render(template: str, target: Path, values: Mapping[str, object]) -> None:
    """`target` holds the packaged template with `$name` replaced; a name without a value is a KeyError."""
    text = files("infra.local.stack").joinpath("templates", template).read_text(encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(Template(text).substitute(values), encoding="utf-8")


def java_flags(heap_mib: int, logs: Path) -> list[str]:
    """Flags of every server: a heap that grows as needed, and a clean death where it is not enough.

    It starts small because Cassandra, as root, locks in memory whatever is there at the start: seconds, and unused.
    """
    return [
        f"-Xms{min(128, heap_mib)}m",
        f"-Xmx{heap_mib}m",
        "-XX:+UseG1GC",
        "-XX:ParallelGCThreads=2",
        "-XX:+PerfDisableSharedMem",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={logs}/hs_err_%p.log",
        "-Djava.net.preferIPv4Stack=true",
    ]
