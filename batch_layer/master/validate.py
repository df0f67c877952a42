"""Validating: from raw records to the master's rows, by the validation that both layers share (R3). Commits nothing."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.master.plain import plainly_valid
from batch_layer.master.table import ARROW, COLUMNS, FACT, PARSED, RAW, REJECTION
from common.algebra.payloads import payload_columns
from common.errors import RejectedRecord, shorten
from common.log.events import Event, parse
from common.log.normalizing import Rules

_PAYLOAD: Final = tuple(payload_columns())
_COPIED: Final = (*RAW, "archive_id")
_NO_REJECTION: Final = (None,) * len(REJECTION)
_NO_FACT: Final = (None,) * len(FACT)
_TYPES: Final = {name: ARROW[kind] for name, kind in PARSED.items()}
_SCHEMA: Final = pa.schema([(name, ARROW[kind]) for name, kind in COLUMNS.items()])


def validated(raw: DataFrame, partitions: int, rules: Rules) -> DataFrame:
    """Returns the columns `COLUMNS`, one row for each record, valid or not, from the columns `RAW` and `archive_id`."""
    schema = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())
    return raw.select(*_COPIED).mapInArrow(_validator(partitions, rules), schema)


def row_of(
    partition: int, appended_at: int, key: bytes | None, value: bytes | None, partitions: int, rules: Rules
) -> tuple[object, ...]:
    """Returns the values of `PARSED` for one record, in its order."""
    try:
        event = parse(key, value, partition=partition, partition_count=partitions, appended_at=appended_at, rules=rules)
    except RejectedRecord as error:
        return (error.field, shorten(error.value), error.rule, *_NO_FACT)
    return (*_NO_REJECTION, *_identity(event), *_payload(event))


def _identity(event: Event) -> tuple[object, ...]:
    version = None if event.image is None else event.image.version
    retracted = None if event.image is None else event.image.retracted
    return event.customer_id, event.kind, event.entity_id, version, retracted, event.future_dated


def _payload(event: Event) -> Iterator[object]:
    payload = None if event.image is None else event.image.payload
    return (getattr(payload, name, None) for name in _PAYLOAD)


def _validator(partitions: int, rules: Rules) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def validate(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_arrays([*batch.columns, *parsed(batch, partitions, rules)], schema=_SCHEMA)

    return validate


def parsed(batch: pa.RecordBatch, partitions: int, rules: Rules) -> list[pa.Array]:
    """Returns the columns `PARSED` of the records in `batch`, which has the columns `RAW`."""
    parts = plainly_valid(batch, partitions, rules)
    left = np.ones(len(batch), bool)
    for part in parts:
        left[part.places] = False
    others = np.flatnonzero(left)
    order = np.argsort(np.concatenate([*(part.places for part in parts), others]))
    by_parse = _by_parse(batch.take(pa.array(others)), partitions, rules)
    columns = []
    for name, kind in _TYPES.items():
        chunks = [part.columns.get(name) for part in parts]
        filled = [
            pa.nulls(len(part.places), kind) if chunk is None else chunk
            for part, chunk in zip(parts, chunks, strict=True)
        ]
        columns.append(pa.concat_arrays([*filled, by_parse[name]]).take(pa.array(order)))
    return columns


def _by_parse(batch: pa.RecordBatch, partitions: int, rules: Rules) -> dict[str, pa.Array]:
    columns = (batch[name].to_pylist() for name in ("kafka_partition", "appended_at", "key", "value"))
    records = zip(*columns, strict=True)
    rows = [row_of(partition, at, key, value, partitions, rules) for partition, at, key, value in records]
    values = zip(*rows, strict=True) if rows else ((),) * len(_TYPES)
    return {name: pa.array(of, kind) for (name, kind), of in zip(_TYPES.items(), values, strict=True)}
