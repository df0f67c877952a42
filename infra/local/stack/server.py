"""The port to a local server: how it is prepared, run and asked whether it answers."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Protocol

from common.settings import Settings


class Server(Protocol):
    """One server of the local stack. All that it needs is in the settings."""

    @property
    def name(self) -> str: ...

    def ports(self, settings: Settings) -> Mapping[str, int]:
        """Returns its loopback ports by use. The first one is the port that clients connect to."""

    def prepare(self, settings: Settings) -> None:
        """Writes its configuration and makes its data folder. Idempotent. Raises StackError if that fails."""

    def command(self, settings: Settings) -> Sequence[str]:
        """Returns the command that runs it."""

    def answers(self, settings: Settings) -> bool:
        """Returns whether a client's request is answered now."""


def render(template: str, target: Path, values: Mapping[str, object]) -> None:
    """Writes the packaged template to `target`, each `$name` replaced. Raises KeyError for a name without a value."""
    text = files("infra.local.stack").joinpath("templates", template).read_text(encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(Template(text).substitute(values), encoding="utf-8")


def java_flags(heap_mib: int, logs: Path) -> list[str]:
    """Returns the flags of every server: its heap grows up to `heap_mib`; where that is not enough, the server ends."""
    # The heap starts small: as root, Cassandra locks the memory that it starts with, which takes seconds.
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
