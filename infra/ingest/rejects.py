"""The file of rejected rows, beside the input: replaced by each run, and gone when nothing was rejected."""

import json
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from common.errors import FieldError, UsageError
from infra.ingest.files import Row


def rejects_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.rejected.jsonl")


class Rejects:
    """One JSON object a rejected row: its number, field, column, value, rule, and the row itself.

    It takes the place of an earlier run's file when it is closed, and not before.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0

    def __enter__(self) -> Self:
        """Raises UsageError if the file could not be written, before anything is sent."""
        try:
            if self.path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            self._file = tempfile.NamedTemporaryFile(
                "w", encoding="ascii", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
            )
        except OSError as error:
            rule = (
                f"rejected rows could not be written there: {error.strerror}; choose another file with --rejects PATH"
            )
            raise UsageError("--rejects", str(self.path), rule) from error
        return self

    def add(self, row: Row, column: str | None, error: FieldError) -> None:
        self.count += 1
        entry = {
            "row": row.number,
            "field": error.field,
            "column": column,
            "value": error.value,
            "rule": error.rule,
            "input": row.values,
        }
        json.dump(entry, self._file, default=str)  # ASCII: it can quote what is no UTF-8
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
