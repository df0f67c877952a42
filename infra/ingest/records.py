"""Makes records of the log from rows, each one validated as both layers will validate it (R3)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from common.errors import RejectedRecord
from common.log.encoding import encode_record, retraction_data
from common.log.entities import Data, RetractionData
from common.log.events import Event, parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.texts import AmountText, BirthDateText, DateText
from infra.ingest.date_formats import ISO
from infra.ingest.dates import date_converter, day_converter
from infra.ingest.envelope import event_id
from infra.ingest.field_mapping import FieldMapping
from infra.ingest.fields import (
    RETRACTED_FIELD,
    VERSION_FIELD,
    fields_of,
    has_required,
    required_because,
    required_fields,
    retraction_fields,
)
from infra.ingest.rows import Row
from infra.ingest.values import Convert, comma_amount, flag_of, id_converter, text_of, trimmed, word_of


class ReadyRecord(NamedTuple):
    """A record ready to be produced, and the event that both layers will read from it."""

    key: bytes
    value: bytes
    event: Event


class RecordMaker:
    """Makes records from rows, for one mapping, one log and one source (a URI).

    `float_columns` are those whose type the file declares a float.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        partitions: int,
        rules: Rules,
        source: str,
        float_columns: frozenset[str] = frozenset(),
    ) -> None:
        self._mapping = mapping
        self._float_columns = float_columns
        self._partitions = partitions
        self._rules = rules
        self._source = source
        self._entry = mapping.entry
        self._build: Callable[..., Data] = self._entry.data  # unchecked: `parse` is what checks
        self._required = frozenset(required_fields(self._entry))
        names = [found.name for found in msgspec.structs.fields(self._entry.data)]
        self._steps = tuple(self._step(name) for name in names if name != RETRACTED_FIELD)
        self._retracted_step = self._step(RETRACTED_FIELD)
        self._retraction_steps = tuple(self._step(name) for name in retraction_fields(self._entry))
        self._has_default = self._entry.own_date is not None and has_required(self._entry, VERSION_FIELD)
        time = self._entry.own_date or VERSION_FIELD
        # Validation may name a part of the envelope: these are the fields that it was made from.
        self._named = {"subject": "customer_id", "key": "customer_id", "time": time, "id": self._entry.entity_id}

    def _step(self, name: str) -> "_Step":
        column = self._mapping.column_of(name)
        constant = self._mapping.constants.get(name)
        return _Step(name, column, constant, self._converter(name, column, written_here=constant is None))

    def _converter(self, name: str, column: str, *, written_here: bool) -> Convert:
        """Returns the conversion of a field's values. `written_here` says that they are the file's, not a constant."""
        habits = self._mapping.habits
        form = self._mapping.date_formats.get(name, ISO) if written_here else ISO
        if name in fields_of(self._entry, DateText):
            return date_converter(self._mapping.zone, form)
        if name in fields_of(self._entry, BirthDateText):
            return day_converter(form)
        if name.endswith("_id") and written_here:
            return id_converter(habits.float_ids, float_column=column in self._float_columns)
        if name in fields_of(self._entry, AmountText) and habits.decimal_comma and written_here:
            return comma_amount
        return text_of

    def record(self, row: Row, appended_at: int) -> ReadyRecord:
        """Returns the row's record. Raises RejectedRecord, which names the kind's field, its value and the rule."""
        if row.error is not None:
            raise row.error
        data = self._retraction(row) if self._takes_back(row) else self._build(**dict(self._fields(row)))
        version: str | None = getattr(data, VERSION_FIELD, None)
        own: str | None = getattr(data, self._entry.own_date or "", None)
        value = encode_record(
            self._mapping.kind,
            data,
            event_id=event_id(self._entry, data, version or own or ""),
            source=self._source,
            time=own or version or "",
            source_row=row.number,
        )
        key = data.customer_id.encode()
        partition = partition_of(data.customer_id, self._partitions)
        try:
            event = parse(
                key,
                value,
                partition=partition,
                partition_count=self._partitions,
                appended_at=appended_at,
                rules=self._rules,
            )
        except RejectedRecord as error:
            name = error.field.removeprefix("data.")
            raise RejectedRecord(self._named.get(name, name), error.value, error.rule) from None
        return ReadyRecord(key, value, event)

    def column_of(self, name: str) -> str | None:
        """Returns the column that a field comes from. Returns None for a constant, and for what is not a field."""
        known = name == RETRACTED_FIELD or any(name == step.name for step in self._steps)
        return self._mapping.column_of(name) if known and name not in self._mapping.constants else None

    def _takes_back(self, row: Row) -> bool:
        value = self._value(self._retracted_step, row)
        return value is not None and flag_of(RETRACTED_FIELD, value)

    def _retraction(self, row: Row) -> RetractionData:
        found: dict[str, str] = {}
        for step in self._retraction_steps:
            value = self._value(step, row)
            text = step.convert(step.name, value)
            if text is None:
                raise self._missing(step.name, value)
            found[step.name] = text
        return retraction_data(
            self._entry.kind, found[self._entry.entity_id], found["customer_id"], found[VERSION_FIELD]
        )

    def _fields(self, row: Row) -> Iterator[tuple[str, str | None]]:
        own: str | None = None
        for step in self._steps:
            value = self._value(step, row)
            text = step.convert(step.name, value)
            if step.name == self._entry.own_date:
                own = text
            if text is None and step.name == VERSION_FIELD and self._has_default:
                text = own
            if text is None and step.name in self._required:
                raise self._missing(step.name, value)
            yield step.name, text

    def _value(self, step: "_Step", row: Row) -> object:
        """Returns the field's value in the row, translated."""
        value = row.values.get(step.column) if step.constant is None else step.constant
        if self._mapping.habits.trim and isinstance(value, str | bytes):
            value = trimmed(step.name, value)
        translations = self._mapping.translations.get(step.name)
        return value if translations is None else translations.get(word_of(step.name, value) or "", value)

    def _missing(self, name: str, value: object) -> RejectedRecord:
        return RejectedRecord(name, value, f"{required_because(self._entry, name)}, and missing")


class _Step(NamedTuple):
    """How one field is read from a row: its column, or a constant instead, and the conversion to the wire's text."""

    name: str
    column: str
    constant: str | None
    convert: Convert
