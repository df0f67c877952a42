"""Records ready to be produced, and the `data` of a retraction."""

from typing import cast

import msgspec

from common.log.entities import Data, RetractionData
from common.log.wire import BY_KIND, RETRACTIONS


def retraction_data(kind: str, entity_id: str, customer_id: str, updated_at: str) -> RetractionData:
    """The `data` of a record that takes an entity back."""
    named = {BY_KIND[kind].entity_id: entity_id, "customer_id": customer_id, "updated_at": updated_at}
    data_type = RETRACTIONS[kind].__annotations__["data"]
    return cast("RetractionData", data_type(**named, retracted=True))


def encode_record(
    kind: str, data: Data, *, event_id: str, source: str, time: str, source_row: int | None = None
) -> bytes:
    """The record of an entity, ready to be produced under its customer's id as key."""
    record_type = RETRACTIONS[kind] if isinstance(data, RetractionData) else BY_KIND[kind].record
    record = record_type(
        specversion="1.0",
        id=event_id,
        source=source,
        subject=data.customer_id,
        time=time,
        sourcerow=source_row,
        datacontenttype="application/json",
        data=data,  # type: ignore[arg-type] # the kind's own type of data: the caller's to keep
    )
    return msgspec.json.encode(record)
