"""Examples for people: the values that changed, quoted from the records. They are printed, and kept nowhere."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.session import spark_errors
from common.errors import shorten
from common.log.position import Position
from common.log.shapes import Change, What

MOST: Final = 10


class _Data(msgspec.Struct, frozen=True):
    data: dict[str, Any]


def examples(rows: DataFrame, changes: Sequence[Change]) -> list[str]:
    """Returns a line for each change of a type, at most `MOST`: the position, the field and the value there."""
    changed = [change for change in changes if change.what is What.CHANGED][:MOST]
    if not changed:
        return []
    places = {Position.parse(change.example) for change in changed}
    at = " OR ".join(f"(kafka_partition = {place.partition} AND kafka_offset = {place.offset})" for place in places)
    with spark_errors("reading examples"):
        found = rows.where(F.expr(at)).select("kafka_partition", "kafka_offset", "value").collect()
    values = {str(Position(row["kafka_partition"], row["kafka_offset"])): bytes(row["value"] or b"") for row in found}
    return [
        f"{change.example} {change.source.kind}.{change.field}: {_value(values[change.example], change.field)}"
        for change in changed
    ]


def _value(record: bytes, field: str) -> str:
    return shorten(msgspec.json.decode(record, type=_Data).data.get(field))
