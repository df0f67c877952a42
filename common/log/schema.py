"""The JSON Schemas of the records, from the types that validate them."""

import msgspec

from common.log.wire import BY_KIND, RETRACTIONS


def record_schema(kind: str) -> dict[str, object]:
    """The JSON Schema (2020-12) of a kind's records, envelope and data; `data` is an entity in full or a retraction."""
    entry = BY_KIND[kind]
    types = (entry.record, RETRACTIONS[kind]) if entry.can_be_retracted else (entry.record,)
    _, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    envelope = definitions.pop(entry.record.__name__)
    if entry.can_be_retracted:
        retraction = definitions.pop(RETRACTIONS[kind].__name__)
        taken_back = retraction["properties"]["data"]
        definitions[taken_back["$ref"].rpartition("/")[2]]["properties"]["retracted"]["const"] = True
        envelope["properties"]["data"] = {"anyOf": [envelope["properties"]["data"], taken_back]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **envelope, "$defs": definitions}
