"""The home folder of a local system: its marker, its sub-folders, its lock, and the ports that it keeps."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import StackError
from common.settings import HOME_FILE, PREFIX, Settings

MARKER: Final = ".lambda360-home"
PORT_BASE: Final = f"{PREFIX}STACK_PORT_BASE"
_MAY_COME_FIRST: Final = frozenset({HOME_FILE, "warehouse", "logs", "run", "demo"})
"""What may be in a folder before it is claimed: other commands make these."""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that belongs to one local system and holds nothing else."""

    path: Path

    @classmethod
    def of(cls, settings: Settings) -> "Home":
        return cls(settings.home.absolute())

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def is_claimed(self) -> bool:
        return (self.path / MARKER).is_file()

    def claim(self) -> None:
        """Makes the folder, unless it exists, and marks it as a home. Idempotent.

        Raises StackError if the folder holds other files, or cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strange = sorted({entry.name for entry in self.path.iterdir()} - _MAY_COME_FIRST)
            if strange and not self.is_claimed:
                raise StackError(
                    f"{self.path} holds other files ({', '.join(strange[:3])}), so it will not be used as a home; "
                    "set LAMBDA360_HOME to an empty or a new folder"
                )
            for folder in (self.logs, self.run):
                folder.mkdir(exist_ok=True)
            (self.path / MARKER).touch()
        except OSError as error:
            raise StackError(f"{self.path} cannot be used as a home: {error}; set LAMBDA360_HOME to another") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the home's lock, so that no other command starts or stops its servers meanwhile.

        Raises StackError if another command holds it.
        """
        self.run.mkdir(exist_ok=True)
        with (self.run / "lock").open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise StackError(
                    f"another command (pid {lock.read().strip() or 'unknown'}) is starting or stopping the servers of "
                    f"{self.path}; wait until it is done"
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    @property
    def port_base(self) -> int | None:
        """The first port that this home's servers were last started with; None before the first start."""
        path = self.path / HOME_FILE
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found = [
            value.strip() for name, _, value in (line.partition("=") for line in lines) if name.strip() == PORT_BASE
        ]
        return int(found[-1]) if found and found[-1].isdigit() else None

    def remember_ports(self, port_base: int) -> None:
        """Writes the first port into the home's settings file, where later commands find it. Other lines stay."""
        path = self.path / HOME_FILE
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if line.partition("=")[0].strip() != PORT_BASE]
        partial = path.with_suffix(".partial")
        partial.write_text("\n".join([*kept, f"{PORT_BASE}={port_base}", ""]), encoding="utf-8")
        partial.replace(path)

    def delete(self) -> None:
        """Deletes the folder with all that it holds. Raises StackError if it is not marked as a home."""
        if not self.is_claimed:
            raise StackError(f"{self.path} is not a lambda360 home (it has no {MARKER}), so nothing was deleted")
        shutil.rmtree(self.path)
