"""Derives from the wire's types which fields a row must have, for an entity in full and for a retraction."""

from typing import Final, Literal, get_args, get_origin

import msgspec

from common.log.texts import BirthDateText, DateText
from common.log.wire import RecordType

VERSION_FIELD: Final = "updated_at"
"""A row may lack this field although the wire requires it: its value is then the entity's own date, never the clock.

A kind without a date of its own must have it, and so must a retraction.
"""
RETRACTED_FIELD: Final = "retracted"


def required_fields(entry: RecordType) -> tuple[str, ...]:
    """Returns the fields that a row must have. If the entity has a date of its own, `updated_at` is not one of them."""
    defaults = {VERSION_FIELD} if entry.own_date else set()
    return tuple(
        found.name for found in msgspec.structs.fields(entry.data) if found.required and found.name not in defaults
    )


def retraction_fields(entry: RecordType) -> tuple[str, ...]:
    """Returns the fields that a row must have to take its entity back."""
    return tuple(dict.fromkeys((entry.entity_id, "customer_id", VERSION_FIELD)))


def required_because(entry: RecordType, name: str) -> str:
    """Returns `required`, with the reason if the field is required only of some kinds or rows."""
    if name != VERSION_FIELD:
        return "required"
    if entry.own_date is None:
        return f"required (a {entry.kind} has no date of its own that could be its version)"
    return "required (what is taken back needs a version)"


def has_required(entry: RecordType, name: str) -> bool:
    """Returns whether the wire requires the field `name` of the kind's entities."""
    return any(found.name == name and found.required for found in msgspec.structs.fields(entry.data))


def fields_of(entry: RecordType, text_type: object) -> frozenset[str]:
    """Returns the names of the fields that are of `text_type`, one of the wire's text types."""
    fields = msgspec.structs.fields(entry.data)
    return frozenset(found.name for found in fields if found.type in (text_type, text_type | None))  # type: ignore[operator] # a type


def date_fields(entry: RecordType) -> frozenset[str]:
    """Returns the names of the fields that are dates, a birth date too."""
    return fields_of(entry, DateText) | fields_of(entry, BirthDateText)


def choice_fields(entry: RecordType) -> frozenset[str]:
    """Returns the names of the fields that are one of a few words."""
    fields = msgspec.structs.fields(entry.data)
    return frozenset(
        found.name for found in fields if any(get_origin(one) is Literal for one in (found.type, *get_args(found.type)))
    )
