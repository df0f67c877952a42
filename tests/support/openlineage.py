"""Holds events against OpenLineage's schemas.

No package brings the specification's JSON Schema files. `of_package` has the schemas that the classes of the installed
package say, which OpenLineage generates from those files: the same names, types and required fields, and nothing
besides them is allowed. `of_spec` has the files themselves, from the folder `spec` of OpenLineage's repository, which
OPENLINEAGE_SPEC names.
"""

import importlib
import json
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import jsonschema
from openlineage.client import generated
from openlineage.client.event_v2 import RunEvent
from referencing import Registry, Resource

from batch_layer.lineage import facets as own

OWN: Final = json.loads((Path(own.__file__).parent / "facets.json").read_text(encoding="utf-8"))
Validate = Callable[[dict[str, Any]], None]
"""Raises jsonschema.ValidationError for an event that breaks the schema, or has a facet of no known one."""


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


formats: Final = jsonschema.FormatChecker()
formats.checks("uri")(_is_uri)
formats.checks("date-time", raises=ValueError)(_is_moment)


def facets_of(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every facet with its name."""
    holders = [event["run"], event["job"], *event.get("inputs", ()), *event.get("outputs", ())]
    for holder in holders:
        for name in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(name, {}).items()


def of_package() -> Validate:
    """The schemas of the installed package's classes, and of our own facets."""
    known = {each._get_schema(): each for each in _classes() if hasattr(each, "_get_schema")}

    def validate(event: dict[str, Any]) -> None:
        _check(event, _schema_of(RunEvent))
        for name, facet in facets_of(event):
            url = facet["_schemaURL"]
            if name.startswith("lambda360_"):
                _check_own(facet)
            elif url not in known:
                raise jsonschema.ValidationError(f"facet {name}: {url} is no schema of the package")
            else:
                _check(facet, _schema_of(known[url]))

    return validate


def of_spec(folder: Path) -> Validate:
    """The specification's own files, and the schema of our own facets."""
    files = [folder / "OpenLineage.json", *sorted((folder / "facets").glob("*.json"))]
    schemas = {each["$id"]: each for each in (json.loads(path.read_text(encoding="utf-8")) for path in files)}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(each)) for name, each in schemas.items()
    )

    def check(instance: object, schema: object) -> None:
        jsonschema.Draft202012Validator(schema, registry=registry, format_checker=formats).validate(instance)

    def validate(event: dict[str, Any]) -> None:
        check(event, {"$ref": event["schemaURL"]})
        check(event, schemas[event["schemaURL"].partition("#")[0]])
        for name, facet in facets_of(event):
            if name.startswith("lambda360_"):
                _check_own(facet)
            else:
                file = schemas[facet["_schemaURL"].partition("#")[0]]
                assert name in file["properties"], f"{name} is no name of {file['$id']}"
                check({name: facet}, file)

    return validate


def _check_own(facet: dict[str, Any]) -> None:
    url, _, pointer = facet["_schemaURL"].partition("#")
    assert url == OWN["$id"]
    _check(facet, {**OWN, "$ref": f"#{pointer}"})


def _check(instance: object, schema: object) -> None:
    jsonschema.Draft202012Validator(schema, format_checker=formats).validate(instance)


def _classes() -> Iterator[Any]:
    for found in pkgutil.iter_modules(generated.__path__):
        module = importlib.import_module(f"{generated.__name__}.{found.name}")
        yield from (each for each in vars(module).values() if isinstance(each, type) and attrs.has(each))


_FORMATS: Final = {
    "eventTime": "date-time",
    "producer": "uri",
    "schemaURL": "uri",
    "_producer": "uri",
    "_schemaURL": "uri",
    "runId": "uuid",
}
_DEFAULTED: Final = ("producer", "schemaURL", "_producer", "_schemaURL")
"""Required by the specification; the classes fill them in."""


_JSON: Final = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
Definitions = dict[str, dict[str, Any]]


def _schema_of(kind: Any) -> dict[str, Any]:
    definitions: Definitions = {}
    return {**_reference(kind, definitions), "$defs": definitions}


def _reference(kind: Any, definitions: Definitions) -> dict[str, Any]:
    """A class by its name, since one may hold its own kind; `definitions` has what it refers to."""
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = typing.get_type_hints(kind)
        fields = attrs.fields(kind)
        definitions[name] |= {
            "type": "object",
            "properties": {each.name: _of_type(hints[each.name], each.name, definitions) for each in fields},
            "required": [each.name for each in fields if each.default is attrs.NOTHING or each.name in _DEFAULTED],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _of_type(kind: Any, name: str, definitions: Definitions) -> dict[str, Any]:  # noqa: PLR0911 # one for each form of type
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return {}
    if kind in _JSON:
        return {"type": _JSON[kind], **({"format": _FORMATS[name]} if kind is str and name in _FORMATS else {})}
    if origin in (types.UnionType, typing.Union):  # nulls are left out of an event
        return {"anyOf": [_of_type(each, name, definitions) for each in arguments if each is not type(None)]}
    if origin is list:
        return {"type": "array", "items": _of_type(arguments[0], name, definitions)}
    if origin is dict and name in ("facets", "inputFacets", "outputFacets"):  # each is checked by its own class
        return {"type": "object", "additionalProperties": {"type": "object", "required": ["_producer", "_schemaURL"]}}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of_type(arguments[1], name, definitions)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    return _reference(kind, definitions)
