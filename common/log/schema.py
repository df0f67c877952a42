"""The JSON Schemas of the records, made from the types that validate them. Knows no file."""

import msgspec

from common.log.wire import BY_KIND, RETRACTIONS


def record_schema(kind: str) -> dict[str, object]:
    """Returns the JSON Schema (2020-12) of a kind's records: the envelope, with the entity in full or retracted."""
    entry = BY_KIND[kind]
    types = (entry.record, RETRACTIONS[kind]) if entry.can_be_retracted else (entry.record,)
    _, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    envelope = definitions.pop(entry.record.__name__)
    if entry.can_be_retracted:
        retraction = definitions.pop(RETRACTIONS[kind].__name__)
        retracted = retraction["properties"]["data"]
        name = retracted["$ref"].removeprefix("#/$defs/")
        definitions[name]["properties"]["retracted"]["const"] = True
        envelope["properties"]["data"] = {"anyOf": [envelope["properties"]["data"], retracted]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **envelope, "$defs": definitions}
