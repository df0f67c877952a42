"""Encoding: from an entity's `data` to the bytes of its record, and the `data` of a retraction. Knows no producer."""

from typing import cast

import msgspec

from common.log.entities import Data, RetractionData
from common.log.wire import BY_KIND, RETRACTIONS


def retraction_data(kind: str, entity_id: str, customer_id: str, updated_at: str) -> RetractionData:
    """Returns the `data` of a record that retracts an entity (R5b)."""
    fields = {BY_KIND[kind].entity_id: entity_id, "customer_id": customer_id, "updated_at": updated_at}
    data_type = RETRACTIONS[kind].__annotations__["data"]
    return cast("RetractionData", data_type(**fields, retracted=True))


def encode_record(
    kind: str, data: Data, *, event_id: str, source: str, time: str, source_row: int | None = None
) -> bytes:
    """Returns the value of an entity's record. The record's key must be the customer's id."""
    record_type = RETRACTIONS[kind] if isinstance(data, RetractionData) else BY_KIND[kind].record
    record = record_type(
        specversion="1.0",
        id=event_id,
        source=source,
        subject=data.customer_id,
        time=time,
        sourcerow=source_row,
        datacontenttype="application/json",
        data=data,  # type: ignore[arg-type] # the caller passes the data of this kind
    )
    return msgspec.json.encode(record)
