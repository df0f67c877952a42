"""A worker's seat in its home: the lowest free number, held by a lock for the process's life.

From the number follow the static member id and the metrics port. No two living processes ever share one: a killed
worker frees its number at once, a paused one keeps it.
"""

import fcntl
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
import psutil

from common.errors import WorkerError

FOLDER: Final = "workers"
# The folder's and its files' names stay as the first release had them: a release that looked for other locks would give
# its worker the seat, and so the member id, of a living worker of another release.
MOST: Final = 1000


class Occupant(msgspec.Struct, frozen=True):
    """Who holds a seat, as it says in `<home>/workers/<seat>.json`; `started_at` in microseconds."""

    seat: int = msgspec.field(name="slot")  # so in the file: a parent of an earlier release reads its workers' files
    pid: int
    lock_fd: int
    started_at: int
    member: str
    metrics_port: int
    settled: bool = False
    """Whether it has read its partitions: each was caught up with the log, or moved on."""


@dataclass(frozen=True, slots=True)
class KeptSeat:
    """A seat whose lock goes on being held while its process executes another program, or itself again."""

    number: int
    lock_fd: int

    def __str__(self) -> str:
        return f"{self.number}:{self.lock_fd}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Inverse of `str`. Raises ValueError."""
        number, lock_fd = text.split(":")
        return cls(int(number), int(lock_fd))


@dataclass(frozen=True, slots=True)
class Seat:
    """A number that is this process's own until it ends, or releases it."""

    number: int
    member: str
    """The static membership id (`group.instance.id`): the same for every holder of this seat."""
    _folder: Path
    _fd: int

    @classmethod
    def take(cls, home: Path) -> Self:
        """The lowest free seat of `home`. Raises WorkerError if none is free."""
        folder = home / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(MOST):
            fd = os.open(_lock_path(folder, number), os.O_RDWR | os.O_CREAT, 0o644)  # closed at exec, by default
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            return cls(number, member_id(home, number), folder, fd)
        raise WorkerError(f"{folder} holds {MOST} workers already: give this one another LAMBDA360_HOME")

    @classmethod
    def succeed(cls, home: Path, number: int) -> Self:
        """Seat `number`, as soon as its holder has ended; `is_waiting` tells of it until then."""
        folder = home / FOLDER
        fd = os.open(_lock_path(folder, number), os.O_RDWR | os.O_CREAT, 0o644)
        waiting = folder / f"{number}.next"
        waiting.write_text(str(os.getpid()), encoding="ascii")
        fcntl.flock(fd, fcntl.LOCK_EX)
        waiting.unlink(missing_ok=True)
        return cls(number, member_id(home, number), folder, fd)

    @classmethod
    def kept(cls, home: Path, seat: KeptSeat) -> Self:
        """The seat that this process held before it executed itself again."""
        os.set_inheritable(seat.lock_fd, False)
        return cls(seat.number, member_id(home, seat.number), home / FOLDER, seat.lock_fd)

    def keep(self) -> KeptSeat:
        """Let the lock outlive the program that this process executes next."""
        os.set_inheritable(self._fd, True)
        return KeptSeat(self.number, self._fd)

    def announce(self, *, started_at: int, metrics_port: int, settled: bool = False) -> None:
        """Say who holds the seat; the file is replaced at once, so a reader never sees half of it."""
        occupant = Occupant(
            seat=self.number,
            pid=os.getpid(),
            lock_fd=self._fd,
            started_at=started_at,
            member=self.member,
            metrics_port=metrics_port,
            settled=settled,
        )
        path = _occupant_path(self._folder, self.number)
        partial = path.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(occupant))
        partial.replace(path)

    def withdraw(self) -> None:
        """Say no more of the holder. The seat is free once the process has ended, not before: its threads may live."""
        _occupant_path(self._folder, self.number).unlink(missing_ok=True)

    def release(self) -> None:
        """Free the seat before the process ends."""
        self.withdraw()
        os.close(self._fd)


def member_id(home: Path, number: int) -> str:
    """The member id of a seat: one for each host, home and number."""
    host = re.sub(r"[^a-zA-Z0-9._-]", "-", socket.gethostname())[:100]
    digest = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:8]
    return f"{host}-{digest}-{number}"


def occupants(home: Path) -> list[Occupant]:
    """The workers that announced themselves, by seat, dead or alive; an unreadable file counts as none."""
    return sorted(_read(home / FOLDER), key=lambda occupant: occupant.seat)


def _read(folder: Path) -> Iterator[Occupant]:
    for path in folder.glob("*.json"):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=Occupant)
        except (FileNotFoundError, msgspec.DecodeError):
            continue


def is_waiting(home: Path, pid: int) -> bool:
    """Whether this process waits for a seat."""
    try:
        return any(path.read_text(encoding="ascii") == str(pid) for path in (home / FOLDER).glob("*.next"))
    except FileNotFoundError:
        return False


def is_alive(home: Path, occupant: Occupant) -> bool:
    """Whether this very process still holds the seat's lock: no later owner of its pid counts."""
    lock = str(_lock_path(home.resolve() / FOLDER, occupant.seat))
    try:
        held = psutil.Process(occupant.pid).open_files()
    except psutil.Error:
        return False
    return any((file.fd, file.path) == (occupant.lock_fd, lock) for file in held)


def _lock_path(folder: Path, number: int) -> Path:
    return folder / f"{number}.lock"


def _occupant_path(folder: Path, number: int) -> Path:
    return folder / f"{number}.json"
