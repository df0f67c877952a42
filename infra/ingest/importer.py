"""Imports a file: each row is validated and sent to the log, or rejected and written to the rejects file."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import RejectedRecord, Unavailable, UsageError
from common.log.normalizing import Rules
from common.servers import kafka, log_identity
from common.servers.cassandra import connected
from common.settings import Settings
from infra.ingest.clashes import entity_ids, refuse_clashes
from infra.ingest.declaring import check_approvals, compare
from infra.ingest.envelope import source_of
from infra.ingest.erased import ErasedCustomers, Lookup, erased_in
from infra.ingest.field_mapping import FieldMapping
from infra.ingest.file_shape import FileShape, series_of
from infra.ingest.opening import open_source
from infra.ingest.records import RecordMaker
from infra.ingest.rejects import Rejects, rejects_path
from infra.ingest.repeats import RowsByEntity
from infra.ingest.rows import BrokenSource, Reading, Source
from infra.ingest.summary import Summary
from infra.paths import rejects_list
from infra.sending import Sender

INTERRUPT_SECONDS: Final = 5.0
"""After Ctrl-C, how long records that were already sent may take to be acknowledged."""
AGAIN: Final = "the same command may be run again: records that are already in the log change no answer"
REPORT_EVERY: Final = 1000
"""Rows between two reports of progress."""

OnRead = Callable[[int, int], None]
"""Called with how much of the source was read, and its total, both in the source's own unit."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is imported, but for what its columns mean."""

    format_name: str | None = None
    """None: by the extension."""
    reading: Reading = Reading()
    rejects: Path | None = None
    """None: `FILE.rejected.jsonl`."""
    dry_run: bool = False
    approvals: frozenset[str] = frozenset()
    """Names of changes of the file's shape that become the declared shape of its series."""
    refuse_clashes: bool = False
    """Sends nothing if rows of one entity and version differ, or give it to several customers."""
    skip_erased: bool = False
    """Leaves out the rows of customers who were erased."""


def run(
    settings: Settings,
    path: Path,
    mapping: FieldMapping,
    options: Options = Options(),
    *,
    clock: Callable[[], int],
    on_read: OnRead = lambda read, total: None,
    erased: Lookup = lambda customers: (),
) -> Summary:
    """Sends every valid row of `path` to the log, and writes every other one to the rejects file.

    Idempotent for answers: a record that is appended again changes none. `clock` returns microseconds, UTC. If the file
    breaks off in the middle, the rows before are sent, and the summary says why. Raises UsageError for options or a
    file that cannot be used, before anything is sent. Raises Unavailable or LogError if the log cannot be written.
    """
    source = open_source(path, options.format_name, options.reading)
    columns = source.columns(mapping.wanted)
    mapping = mapping.resolved(columns, source.repeated)
    own_dates = not mapping.has_version(columns)
    target = options.rejects or rejects_path(path)
    if target.resolve() == path.resolve():
        raise UsageError("--rejects", str(target), "a file other than the input")
    series = series_of(path, mapping.kind)
    check_approvals(options.approvals, series)
    started = time.monotonic()
    partitions = settings.log.partitions if options.dry_run else _partitions(settings)
    maker = RecordMaker(mapping, partitions, Rules(settings.log.currency), source_of(path), source.float_columns)
    if options.refuse_clashes:
        refuse_clashes(source, maker, clock(), own_dates=own_dates)
    left_out = erased_in(source, maker, clock(), erased) if options.skip_erased else {}
    summary = Summary(target, mapping.entry, dry_run=options.dry_run, notes=source.notes, version_is_own_date=own_dates)
    summary.erased = left_out
    known = rejects_list(settings.home) if settings.home.exists() or not options.dry_run else None
    with Rejects(target, known) as rejects:
        sender = None if options.dry_run else Sender(settings, AGAIN)
        work = _Import(source, maker, sender=sender, rejects=rejects, summary=summary, erased=erased)
        try:
            work.send_rows(clock, on_read)
            work.finish()
        except KeyboardInterrupt:
            summary.interrupted = True
            work.abandon()
    work.look_for_repeats()
    if not options.dry_run and summary.is_whole:  # of a part of a file, a column may be missing by chance
        try:
            summary.comparison = compare(settings, work.shape.observed(series), options.approvals)
        except Unavailable as error:  # every row is in: only the comparison is missing
            summary.notes.append(f"The columns were not compared with those of the files before: {error}.")
    summary.seconds = time.monotonic() - started
    return summary


class _Import:
    """One pass over a source: its rows are sent, counted and compared."""

    def __init__(
        self,
        source: Source,
        maker: RecordMaker,
        *,
        sender: Sender | None,
        rejects: Rejects,
        summary: Summary,
        erased: Lookup,
    ) -> None:
        self._source = source
        self._maker = maker
        self._sender = sender
        self._rejects = rejects
        self._summary = summary
        self.shape = FileShape()
        self._rows = RowsByEntity(own_dates=summary.version_is_own_date)
        self._customers = ErasedCustomers(erased)

    def send_rows(self, clock: Callable[[], int], on_read: OnRead) -> None:
        """Sends every valid row, and rejects every other one, to the end of the file or to where it breaks off."""
        try:
            self._send_rows(clock, on_read)
        except BrokenSource as error:
            self._summary.broken = error.rule.rstrip(".")

    def _send_rows(self, clock: Callable[[], int], on_read: OnRead) -> None:
        now = clock()
        for row in self._source.rows():
            self._summary.read += 1
            if self._summary.read % REPORT_EVERY == 0:
                now = clock()
                on_read(self._source.done, self._source.total)
            if row.error is None:
                self.shape.add(row.number, row.values)
            try:
                record = self._maker.record(row, now)
            except RejectedRecord as error:
                column = self._maker.column_of(error.field)
                self._rejects.add(row, column, error)
                self._summary.count_rejected(row.number, column, error)
                continue
            if record.event.customer_id in self._summary.erased:
                self._summary.left_out += 1
                continue
            self._customers.add(row.number, record.event.customer_id)
            self._summary.count_valid(record.event)
            self._rows.add(row.number, record.event)
            if self._sender is None:
                self._summary.sent += 1
            else:
                self._sender.send(record.key, record.value)
        on_read(self._source.total, self._source.total)

    def finish(self) -> None:
        """Waits until every record is acknowledged. Raises LogUnavailable or LogError if one is not."""
        if self._sender is not None:
            self._sender.finish()
            self._summary.sent = self._sender.acknowledged
        self._summary.erased |= self._customers.finish()

    def abandon(self) -> None:
        """Waits a short time for acknowledgements, and drops the records that are still without one."""
        if self._sender is not None:
            self._sender.abandon(INTERRUPT_SECONDS)
            self._summary.sent = self._sender.acknowledged

    def look_for_repeats(self) -> None:
        """Compares the valid rows, and reads those of the examples again for their entities' ids."""
        self._summary.repeats = self._rows.repeats()
        found = {*self._summary.repeats.clashing_example, *self._summary.repeats.moved_example}
        self._summary.repeats_named = entity_ids(self._source, self._maker, found)


def _partitions(settings: Settings) -> int:
    """Returns the log's partition count. Raises LogError if it is not the log that this system was built on (R1)."""
    found = kafka.topic_identity(settings, settings.log.topic, timeout_seconds=kafka.CONNECT_SECONDS)
    with connected(settings) as session:
        return log_identity.check(session, found).partitions
