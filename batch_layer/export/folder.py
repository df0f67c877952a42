"""A folder of Parquet files that holds the features, one file for each batch, for tools that read no Iceberg.

Iceberg's own folder is no such thing: it also holds the files of older snapshots.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.export import features
from batch_layer.export.file import arrow_batches, whole
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.errors import BatchError, UsageError

MADE_FROM: Final = b"lambda360.made_from"
"""The metadata of a file that tells from which of Iceberg's files, and as which columns, it was made."""
_NAME: Final = re.compile(r"features-(\d{10,})\.parquet")
_PARTIAL: Final = ".features-*.partial"


@dataclass(frozen=True, slots=True)
class Synced:
    """What a folder holds now, and how it came to."""

    batches: int
    written: int
    removed: int
    known_at: datetime
    """Of the newest rows."""


def check_folder(folder: Path) -> None:
    """Raises UsageError unless `folder` is a folder, or can be made in one that exists."""
    if not folder.is_dir() and (folder.exists() or not folder.parent.is_dir()):
        raise UsageError("--features", str(folder), "a folder, or a new one in a folder that exists")


def sync(job: Job, folder: Path) -> Synced:
    """Makes the folder hold the features as they are now: a file for each batch. Other files in it stay.

    Only what changed is written, each file whole or not at all, and a batch's file goes when the batch's rows are gone.
    Idempotent: killed anywhere, the same call finishes it. Raises BatchError if there are no features yet, if another
    call is at work on the folder, or if a file cannot be written.
    """
    check_folder(folder)
    if not lake.exists(job.spark, features.TABLE.name(job.settings)):
        raise BatchError("there are no features yet; `lambda360 batch run` makes the first")
    try:
        folder.mkdir(exist_ok=True)
        with _alone(folder):
            return _synced(job, folder)
    except OSError as error:
        raise BatchError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error


def _synced(job: Job, folder: Path) -> Synced:
    for left in folder.glob(_PARTIAL):  # by a call that was killed
        left.unlink()
    snapshot = features.TABLE.current(job)
    batches = {} if snapshot is None else _made_from(job, snapshot)
    files = {batch_id: folder / f"features-{batch_id:010}.parquet" for batch_id in sorted(batches)}
    gone = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path not in files.values()]
    for path in gone:
        path.unlink()
    if snapshot is None or not batches:
        raise BatchError(
            f"the features hold no row, and {folder} holds none now; the next `lambda360 batch run` adds some"
        )
    changed = [batch_id for batch_id, path in files.items() if _held(path) != batches[batch_id]]
    for batch_id in changed:
        _write(job, snapshot, batch_id, files[batch_id], batches[batch_id])
    return Synced(len(files), len(changed), len(gone), _known_at(files[max(files)]))


def _made_from(job: Job, snapshot: int) -> Mapping[int, bytes]:
    """By batch, what its file is made from: a digest of the columns, and of Iceberg's files, which never change."""
    columns = ",".join(f"{name} {kind.sql}" for name, kind in features.COLUMNS.items())
    found = lake.files_by_partition(job, features.TABLE.name(job.settings), snapshot)
    return {
        batch_id: hashlib.sha256("\n".join((columns, *sorted(locations))).encode()).hexdigest().encode()
        for batch_id, locations in found.items()
    }


def _held(path: Path) -> bytes | None:
    """What a file was made from; None if there is none, or none of ours."""
    try:
        return (pq.read_schema(path).metadata or {}).get(MADE_FROM)
    except (FileNotFoundError, pa.ArrowInvalid):
        return None


def _write(job: Job, snapshot: int, batch_id: int, path: Path, made_from: bytes) -> None:
    rows = features.TABLE.at(job, snapshot).where(F.col("batch_id") == batch_id).select(*features.COLUMNS)
    schema = features.SCHEMA.with_metadata({MADE_FROM: made_from})
    with (
        spark_errors(f"exporting the features of batch {batch_id}"),
        whole(path, force=True) as file,
        pq.ParquetWriter(file, schema) as writer,
    ):
        for batch in arrow_batches(rows):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _known_at(path: Path) -> datetime:
    column = pq.ParquetFile(path).read_row_group(0, columns=[features.KNOWN_AT])[features.KNOWN_AT]
    found: datetime = column[0].as_py()
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder. Raises BatchError if another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BatchError(f"another export is writing {folder}; run this again when it is done") from error
    finally:
        os.close(descriptor)
