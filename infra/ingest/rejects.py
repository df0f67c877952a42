"""Writes the file of rejected rows. Each run replaces the file of the run before."""

import json
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from common.errors import FieldError, UsageError
from infra.ingest.rows import Row

log = structlog.get_logger(__name__)


def rejects_path(path: Path) -> Path:
    """Returns the default file for rejected rows, beside the input `path`."""
    return path.with_name(f"{path.name}.rejected.jsonl")


class Rejects:
    """Writes one JSON object a rejected row: its number, field, column, value, rule, and the row itself.

    The file of an earlier run is there until this one is closed. Then the new file replaces it; if nothing was
    rejected, it is deleted, unless the run failed.
    """

    def __init__(self, path: Path, known: Path | None = None) -> None:
        """The file's path is added to the list `known`, where an erasure looks it up."""
        self.path = path
        self._known = known
        self.count = 0

    def __enter__(self) -> Self:
        """Raises UsageError if the file cannot be written."""
        try:
            if self.path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            self._file = tempfile.NamedTemporaryFile(
                "w", encoding="ascii", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
            )
        except OSError as error:
            rule = f"rejected rows cannot be written there: {error.strerror}; choose another file with --rejects PATH"
            raise UsageError("--rejects", str(self.path), rule) from error
        self._remember()
        return self

    def _remember(self) -> None:
        if self._known is None:
            return
        line = json.dumps(str(self.path.absolute())) + "\n"
        try:
            self._known.parent.mkdir(parents=True, exist_ok=True)
            with self._known.open("a+", encoding="utf-8") as known:
                known.seek(0)
                if line not in known:
                    known.write(line)
        except OSError as error:
            log.warning("rejects not listed", file=str(self.path), list=str(self._known), error=error)

    def add(self, row: Row, column: str | None, error: FieldError) -> None:
        self.count += 1
        entry = {
            "row": row.number,
            "field": error.field,
            "column": column,
            "value": error.value,
            "rule": error.rule,
            "input": row.values if row.text is None else row.text,
        }
        json.dump(entry, self._file, default=str)  # ASCII escapes can also quote what is not UTF-8
        self._file.write("\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        if self.count:
            Path(self._file.name).chmod(0o644)
            os.replace(self._file.name, self.path)  # noqa: PTH105 # the name is text
            return
        Path(self._file.name).unlink()
        if error is None:
            self.path.unlink(missing_ok=True)
