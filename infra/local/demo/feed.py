"""Writes the demo's files and imports them, by the same import that a user has."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from common.errors import StackError
from common.settings import Settings
from infra.context import clock
from infra.ingest.importer import run
from infra.ingest.mapping import mapping_of
from infra.local.demo.purchases import Purchase, write_csv


class Feed:
    """Writes files into `folder`, which it makes, and imports them. It calls `check` meanwhile, which may raise."""

    def __init__(
        self, settings: Settings, folder: Path, report: Callable[[str], None], check: Callable[[], None]
    ) -> None:
        self._settings = settings
        self.folder = folder
        self._report = report
        self._check = check
        folder.mkdir()

    def month(self, orders: Sequence[Purchase]) -> None:
        """Imports the orders of one month."""
        month = orders[0].order_date[: len("1997-01")]
        self.orders(month, orders)

    def orders(self, name: str, orders: Iterable[Purchase]) -> None:
        """Imports orders; `name` says of when they are."""
        path = write_csv(self.folder / f"orders-{name.replace(' ', '-')}.csv", Purchase._fields, orders)
        self.file("order", path, f"orders of {name}", sets=("status=completed",))

    def file(self, kind: str, path: Path, story: str, *, sets: tuple[str, ...] = ()) -> None:
        """Imports a file. Raises StackError if a row was rejected, KeyboardInterrupt if the import was interrupted."""
        summary = run(
            self._settings,
            path,
            mapping_of(kind, sets=sets),
            clock=clock,
            on_read=lambda _read, _total: self._check(),
        )
        if summary.interrupted:
            raise KeyboardInterrupt
        if summary.rejected:
            raise StackError(f"{summary.rejected} rows of {path} were rejected; see {summary.rejects}")
        self._report(f"imported {summary.sent:,} records in {summary.seconds:.1f} s: {story}")
