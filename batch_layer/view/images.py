"""From a valid row of the master to its fact's image: the columns' way back to the algebra. Pure."""

from typing import Any, Final

import msgspec

from common.algebra.facts import Image
from common.algebra.payloads import ERASURE, PAYLOADS, Retracted, payload_columns

COLUMNS: Final = ("customer_id", "kafka_offset", "kind", "entity_id", "version", "retracted", *payload_columns())
"""The columns that an image is made of."""
_FIELDS: Final = {
    kind: tuple(field.name for field in msgspec.structs.fields(payload)) for kind, payload in PAYLOADS.items()
}


def image_of(row: Any) -> Image | None:
    """Returns the image in a row that has at least `COLUMNS` by name; None for an erasure."""
    kind = row["kind"]
    if kind == ERASURE:
        return None
    if row["retracted"]:
        return Image(row["version"], Retracted(kind))
    return Image(row["version"], PAYLOADS[kind](**{name: row[name] for name in _FIELDS[kind]}))
