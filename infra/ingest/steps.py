"""How one field is read from a row: its column, or a constant instead, and the conversion to the wire's text."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.log.texts import AmountText, BirthDateText, DateText
from infra.ingest.date_formats import ISO
from infra.ingest.dates import date_converter, day_converter
from infra.ingest.field_mapping import FieldMapping
from infra.ingest.fields import fields_of
from infra.ingest.values import Convert, comma_amount, id_converter, text_of, trimmed, word_of


@dataclass(frozen=True, slots=True)
class Step:
    """One field's. A row's value that needs neither a constant, nor trimming, nor translating is `plain`."""

    name: str
    column: str
    constant: str | None
    convert: Convert
    trim: bool
    translations: Mapping[str, str] | None
    plain: bool

    def value(self, values: Mapping[str, object]) -> object:
        """Returns the field's value in a row with these values, translated."""
        value = values.get(self.column) if self.constant is None else self.constant
        if self.trim and isinstance(value, str | bytes):
            value = trimmed(self.name, value)
        if self.translations is None:
            return value
        return self.translations.get(word_of(self.name, value) or "", value)

    def text(self, value: object) -> str | None:
        """Returns the wire's text for a value of the field, None for a missing one. Raises RejectedRecord."""
        return None if value is None else self.convert(self.name, value)


def step_of(mapping: FieldMapping, name: str, float_columns: frozenset[str]) -> Step:
    """Returns the step of the field `name`. `float_columns` are those whose type the file declares a float."""
    column = mapping.column_of(name)
    constant = mapping.constants.get(name)
    translations = mapping.translations.get(name)
    return Step(
        name=name,
        column=column,
        constant=constant,
        convert=_of_constant(mapping, name)
        if constant is not None
        else _of_column(mapping, name, column in float_columns),
        trim=mapping.habits.trim,
        translations=translations,
        plain=constant is None and translations is None and not mapping.habits.trim,
    )


def _of_constant(mapping: FieldMapping, name: str) -> Convert:
    """Returns the conversion of a constant, which is written as on the wire."""
    if name in fields_of(mapping.entry, DateText):
        return date_converter(mapping.zone)
    return day_converter() if name in fields_of(mapping.entry, BirthDateText) else text_of


def _of_column(mapping: FieldMapping, name: str, float_column: bool) -> Convert:
    form = mapping.date_formats.get(name, ISO)
    if name in fields_of(mapping.entry, DateText):
        return date_converter(mapping.zone, form)
    if name in fields_of(mapping.entry, BirthDateText):
        return day_converter(form)
    if name.endswith("_id"):
        return id_converter(mapping.habits.float_ids, float_column=float_column)
    if name in fields_of(mapping.entry, AmountText) and mapping.habits.decimal_comma:
        return comma_amount
    return text_of
