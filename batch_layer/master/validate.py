"""Records to rows of the master, by the validation that both layers share (R3)."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.master.table import COLUMNS, PARSED, RAW
from common.errors import RejectedRecord, shorten
from common.log.events import Event, parse
from common.log.normalizing import Rules

_ARROW: Final = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "boolean": pa.bool_(),
}
_PAYLOAD: Final = list(PARSED)[list(PARSED).index("future_dated") + 1 :]
_KEPT: Final = (*RAW, "archive_id")
_SCHEMA: Final = pa.schema([(name, _ARROW[kind]) for name, kind in COLUMNS.items()])


def validated(raw: DataFrame, partitions: int, rules: Rules) -> DataFrame:
    """`raw`'s columns `RAW` and `archive_id` with the columns `PARSED`: one row a record, valid or not."""
    schema = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())
    return raw.select(*_KEPT).mapInArrow(_validator(partitions, rules), schema)


def row_of(
    partition: int, appended_at: int, key: bytes | None, value: bytes | None, partitions: int, rules: Rules
) -> tuple[object, ...]:
    """The values of `PARSED` for one record, in its order."""
    try:
        event = parse(key, value, partition, partitions, appended_at, rules)
    except RejectedRecord as error:
        return (error.field, shorten(error.value), error.rule, *_NOTHING[3:])
    return (None, None, None, *_identity(event), *_payload(event))


_NOTHING: Final = (None,) * len(PARSED)


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
            columns = (batch[name].to_pylist() for name in ("kafka_partition", "appended_at", "key", "value"))
            records = zip(*columns, strict=True)
            rows = [row_of(partition, at, key, value, partitions, rules) for partition, at, key, value in records]
            values = zip(*rows, strict=True) if rows else repeat(())
            parsed = [pa.array(column, _ARROW[kind]) for column, kind in zip(values, PARSED.values(), strict=False)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *parsed], schema=_SCHEMA)

    return validate
