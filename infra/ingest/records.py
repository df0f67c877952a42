"""Rows become records of the log, each validated as both layers will validate it (R3)."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from common.errors import RejectedRecord
from common.log.events import Rules, parse
from common.log.partition import partition_of
from common.log.wire import Data, DateText, encode_record
from infra.ingest.files import Row
from infra.ingest.mapping import VERSION_FIELD, FieldMapping, fields_of, required_fields
from infra.ingest.values import Convert, date_converter, text_of

SOURCE: Final = "lambda360/import"
_MAX_EVENT_ID: Final = 512


class Record(NamedTuple):
    """A record ready to be produced; `future_dated` is worth a report, no more."""

    key: bytes
    value: bytes
    future_dated: bool


class RecordMaker:
    """The function from a row to its record, for one mapping and one log."""

    def __init__(self, mapping: FieldMapping, partitions: int, rules: Rules) -> None:
        self._mapping, self._partitions, self._rules = mapping, partitions, rules
        self._entry = mapping.entry
        self._build: Callable[..., Data] = self._entry.data  # unchecked: `parse` is what checks
        self._required = frozenset(required_fields(self._entry))
        self._steps = tuple(self._step(found.name) for found in msgspec.structs.fields(self._entry.data))
        own_date = self._entry.own_date or ""
        self._named = {"subject": "customer_id", "key": "customer_id", "time": own_date, "id": self._entry.entity_id}

    def _step(self, name: str) -> tuple[str, str, str | None, Convert]:
        dated = name in fields_of(self._entry, DateText)
        convert = date_converter(self._mapping.zone) if dated else text_of
        return name, self._mapping.column_of(name), self._mapping.constants.get(name), convert

    def record(self, row: Row, appended_at: int) -> Record:
        """The row's record. Raises RejectedRecord, which names the kind's field, its value and the rule."""
        if row.error is not None:
            raise row.error
        data = self._build(**dict(self._fields(row)))
        time = getattr(data, self._entry.own_date or "")
        value = encode_record(self._mapping.kind, data, event_id=self._event_id(data), source=SOURCE, time=time)
        key = data.customer_id.encode()
        partition = partition_of(data.customer_id, self._partitions)
        try:
            event = parse(key, value, partition, self._partitions, appended_at, self._rules)
        except RejectedRecord as error:
            name = error.field.removeprefix("data.")
            raise RejectedRecord(self._named.get(name, name), error.value, error.rule) from None
        return Record(key, value, event.future_dated)

    def column_of(self, name: str) -> str | None:
        """The column that a field comes from; none where it is a constant, or no field."""
        known = any(name == step[0] for step in self._steps)
        return self._mapping.column_of(name) if known and name not in self._mapping.constants else None

    def _fields(self, row: Row) -> Iterator[tuple[str, str | None]]:
        own: str | None = None
        translations = self._mapping.translations
        for name, column, constant, convert in self._steps:
            value: object = row.values.get(column) if constant is None else constant
            if name in translations:
                text = text_of(name, value) or ""
                value = translations[name].get(text, value)
            text_or_none = convert(name, value)
            if name == self._entry.own_date:
                own = text_or_none
            if text_or_none is None and name == VERSION_FIELD:
                text_or_none = own
            if text_or_none is None and name in self._required:
                raise RejectedRecord(name, value, "required, and missing")
            yield name, text_or_none

    def _event_id(self, data: Data) -> str:
        """The same for the same row, however often it is imported."""
        version = getattr(data, VERSION_FIELD, None) or getattr(data, self._entry.own_date or "")
        return f"{self._entry.kind}:{getattr(data, self._entry.entity_id)}:{version}"[:_MAX_EVENT_ID]
