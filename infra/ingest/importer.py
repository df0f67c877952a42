"""Imports a file: each row is validated and sent to the log, or rejected and written to the rejects file."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import RejectedRecord, UsageError
from common.log.normalizing import Rules
from common.servers import kafka, log_identity
from common.servers.cassandra import connected
from common.settings import Settings
from infra.ingest.envelope import source_of
from infra.ingest.mapping import FieldMapping
from infra.ingest.opening import open_source
from infra.ingest.records import RecordMaker
from infra.ingest.rejects import Rejects, rejects_path
from infra.ingest.rows import Source
from infra.ingest.sender import Sender

CONNECT_SECONDS: Final = 5.0
INTERRUPT_SECONDS: Final = 5.0
"""After Ctrl-C, how long records that were already sent may take to be acknowledged."""
REPORT_EVERY: Final = 1000
"""Rows between two reports of progress."""

OnRead = Callable[[int, int], None]
"""Called with how much of the source was read, and its total, both in the source's own unit."""


@dataclass(slots=True)
class Summary:
    """What an import did. `sent` counts acknowledged records; in a dry run it counts valid ones."""

    rejects: Path
    read: int = 0
    sent: int = 0
    rejected: int = 0
    future_dated: int = 0
    retracted: int = 0
    seconds: float = 0.0
    interrupted: bool = False


def run(
    settings: Settings,
    path: Path,
    mapping: FieldMapping,
    *,
    clock: Callable[[], int],
    format_name: str | None = None,
    rejects: Path | None = None,
    dry_run: bool = False,
    on_read: OnRead = lambda read, total: None,
) -> Summary:
    """Sends every valid row of `path` to the log, and writes every other one to the rejects file.

    Idempotent for answers: a record that is appended again changes none. `clock` returns microseconds, UTC.
    Raises UsageError for options or a file that cannot be used, before anything is sent; only a Parquet file that is
    damaged further on is noticed later. Raises Unavailable or LogError if the log cannot be written.
    """
    source = open_source(path, format_name)
    mapping.check(source.columns(mapping.wanted))
    target = rejects or rejects_path(path)
    if target.resolve() == path.resolve():
        raise UsageError("--rejects", str(target), "a file other than the input")
    summary = Summary(target)
    started = time.monotonic()
    with ExitStack() as stack:
        written = stack.enter_context(Rejects(target))
        partitions = settings.log.partitions if dry_run else _partitions(settings)
        sender = None if dry_run else Sender(settings)
        maker = RecordMaker(mapping, partitions, Rules(settings.log.currency), source_of(path))
        try:
            _send_rows(source, maker, sender=sender, rejects=written, summary=summary, clock=clock, on_read=on_read)
            if sender is not None:
                sender.finish()
        except KeyboardInterrupt:
            summary.interrupted = True
            if sender is not None:
                sender.abandon(INTERRUPT_SECONDS)
        summary.sent = summary.sent if sender is None else sender.acknowledged
    summary.seconds = time.monotonic() - started
    return summary


def _send_rows(
    source: Source,
    maker: RecordMaker,
    *,
    sender: Sender | None,
    rejects: Rejects,
    summary: Summary,
    clock: Callable[[], int],
    on_read: OnRead,
) -> None:
    now = clock()
    for row in source.rows():
        summary.read += 1
        if summary.read % REPORT_EVERY == 0:
            now = clock()
            on_read(source.done, source.total)
        try:
            record = maker.record(row, now)
        except RejectedRecord as error:
            rejects.add(row, maker.column_of(error.field), error)
            summary.rejected += 1
            continue
        summary.future_dated += record.future_dated
        summary.retracted += record.retracted
        if sender is None:
            summary.sent += 1
        else:
            sender.send(record.key, record.value)
    on_read(source.total, source.total)


def _partitions(settings: Settings) -> int:
    """Returns the log's partition count. Raises LogError if it is not the log that this system was built on (R1)."""
    found = kafka.topic_identity(settings, settings.log.topic, timeout_seconds=CONNECT_SECONDS)
    with connected(settings) as session:
        return log_identity.check(session, found).partitions
