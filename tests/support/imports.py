"""Imports without a server: what a file's rows become."""

import json
from pathlib import Path
from typing import Any

import msgspec

from common.errors import RejectedRecord
from common.log.events import Event, parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.wire import RECORD_TYPES, RETRACTIONS, Record, RetractionRecord
from common.settings import Settings
from infra.ingest.envelope import source_of
from infra.ingest.importer import Options, run
from infra.ingest.mapping import mapping_of
from infra.ingest.opening import open_source
from infra.ingest.records import ReadyRecord, RecordMaker
from infra.ingest.summary import Summary

PARTITIONS = 4
RULES = Rules("USD")


def dry_run(path: Path, kind: str = "order", /, **options: Any) -> Summary:
    """What an import of the file would do."""
    return run(Settings(), path, mapping_of(kind, **options), Options(dry_run=True), clock=lambda: 0)


def rejected(summary: Summary) -> list[dict[str, Any]]:
    """The lines of the file of rejected rows."""
    return [json.loads(line) for line in summary.rejects.read_text(encoding="ascii").splitlines()]


def records_of(path: Path, kind: str, /, **options: Any) -> list[Record | RetractionRecord]:
    """The records of the file's valid rows, as they stand on the wire."""
    return [_decoded(made.value) for made in _made(path, kind, **options)]


def events_of(path: Path, kind: str, /, **options: Any) -> list[Event]:
    """The file's valid rows as both layers read them."""
    found = []
    for made in _made(path, kind, **options):
        partition = partition_of(made.key.decode(), PARTITIONS)
        found.append(parse(made.key, made.value, partition, PARTITIONS, 0, RULES))
    return found


def _decoded(value: bytes) -> Record | RetractionRecord:
    content = json.loads(value)
    entry = RECORD_TYPES[content["type"]]
    wanted = RETRACTIONS[entry.kind] if "retracted" in content["data"] else entry.record
    return msgspec.json.decode(value, type=wanted)


def _made(path: Path, kind: str, /, **options: Any) -> list[ReadyRecord]:
    source = open_source(path, None)
    mapping = mapping_of(kind, **options)
    mapping = mapping.resolved(source.columns(mapping.wanted), source.repeated)
    maker = RecordMaker(mapping, PARTITIONS, RULES, source_of(path), source.float_columns)
    made = []
    for row in source.rows():
        try:
            made.append(maker.record(row, 0))
        except RejectedRecord:
            continue
    return made
