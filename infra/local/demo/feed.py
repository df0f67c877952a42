"""The demo's files, and their way into the log: the same import that a user has."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from common.errors import StackError
from common.settings import Settings
from infra.ingest.importer import run
from infra.ingest.mapping import mapping_of
from infra.local.demo.purchases import Purchase, write_csv


class Feed:
    """Writes files into `folder` and imports them; `check` is called meanwhile, and may raise."""

    def __init__(self, settings: Settings, folder: Path, say: Callable[[str], None], check: Callable[[], None]) -> None:
        self._settings, self.folder, self._say, self._check = settings, folder, say, check
        folder.mkdir()

    def month(self, orders: Sequence[Purchase]) -> None:
        self.orders(orders[0].order_date[:7], orders)

    def orders(self, name: str, orders: Iterable[Purchase]) -> None:
        path = write_csv(self.folder / f"orders-{name.replace(' ', '-')}.csv", Purchase._fields, orders)
        self.file("order", path, f"orders of {name}", sets=("status=completed",))

    def file(self, kind: str, path: Path, story: str, *, sets: tuple[str, ...] = ()) -> None:
        """Every row of the file is in the log. Raises StackError if one was rejected."""
        summary = run(
            self._settings,
            path,
            mapping_of(kind, sets=sets),
            clock=lambda: time.time_ns() // 1000,
            on_read=lambda _read, _total: self._check(),
        )
        if summary.interrupted:
            raise KeyboardInterrupt
        if summary.rejected:
            raise StackError(f"{summary.rejected} rows of {path} were rejected; see {summary.rejects}")
        self._say(f"imported {summary.sent:,} records in {summary.seconds:.1f} s: {story}")
