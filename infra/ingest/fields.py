"""What a kind's entities need of a row, in full and taken back, as the wire's types tell."""

from typing import Final

import msgspec

from common.log.wire import RecordType

VERSION_FIELD: Final = "updated_at"
"""The one required field that may be missing: it is then the entity's own date, never the clock.

A kind without a date of its own needs it, and so does whatever is taken back.
"""
RETRACTED_FIELD: Final = "retracted"


def required_fields(entry: RecordType) -> tuple[str, ...]:
    """The fields that a row must have; `updated_at` has a default where the entity has a date of its own."""
    defaults = {VERSION_FIELD} if entry.own_date else set()
    return tuple(
        found.name for found in msgspec.structs.fields(entry.data) if found.required and found.name not in defaults
    )


def retraction_fields(entry: RecordType) -> tuple[str, ...]:
    """The fields that a row must have which takes its entity back."""
    return tuple(dict.fromkeys((entry.entity_id, "customer_id", VERSION_FIELD)))


def required_because(entry: RecordType, name: str) -> str:
    """`required`, with the reason where the field is required of some kinds or rows alone."""
    if name != VERSION_FIELD:
        return "required"
    if entry.own_date is None:
        return f"required (a {entry.kind} has no date of its own that could be its version)"
    return "required (what is taken back needs a version)"


def has_required(entry: RecordType, name: str) -> bool:
    """Whether the wire requires the field `name` of the kind's entities."""
    return any(found.name == name and found.required for found in msgspec.structs.fields(entry.data))


def fields_of(entry: RecordType, text_type: object) -> frozenset[str]:
    """The names of the fields of one of the wire's text types."""
    fields = msgspec.structs.fields(entry.data)
    return frozenset(found.name for found in fields if found.type in (text_type, text_type | None))  # type: ignore[operator] # a type
