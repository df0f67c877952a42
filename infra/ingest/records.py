"""Makes records of the log from rows, each one validated as both layers will validate it (R3)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from common.errors import RejectedRecord
from common.log.encoding import encode_record, retraction_data
from common.log.entities import Data, RetractionData
from common.log.events import Event, parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from infra.ingest.envelope import event_id
from infra.ingest.field_mapping import FieldMapping
from infra.ingest.fields import (
    RETRACTED_FIELD,
    VERSION_FIELD,
    has_required,
    required_because,
    required_fields,
    retraction_fields,
)
from infra.ingest.rows import Row
from infra.ingest.steps import step_of
from infra.ingest.values import flag_of


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
        self._partitions = partitions
        self._rules = rules
        self._source = source
        self._entry = mapping.entry
        self._build: Callable[..., Data] = self._entry.data  # unchecked: `parse` is what checks
        self._required = frozenset(required_fields(self._entry))
        names = [found.name for found in msgspec.structs.fields(self._entry.data)]
        steps = {name: step_of(mapping, name, float_columns) for name in names}
        self._retracted_step = steps.pop(RETRACTED_FIELD)
        self._steps = tuple(steps.values())
        self._retraction_steps = tuple(steps[name] for name in retraction_fields(self._entry))
        self._has_default = self._entry.own_date is not None and has_required(self._entry, VERSION_FIELD)
        time = self._entry.own_date or VERSION_FIELD
        # Validation may name a part of the envelope: these are the fields that it was made from.
        self._named = {"subject": "customer_id", "key": "customer_id", "time": time, "id": self._entry.entity_id}

    def record(self, row: Row, appended_at: int) -> ReadyRecord:
        """Returns the row's record. Raises RejectedRecord, which names the kind's field, its value and the rule."""
        if row.error is not None:
            raise row.error
        data = self._retraction(row) if self._takes_back(row) else self._build(**self._fields(row.values))
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
        value = self._retracted_step.value(row.values)
        return value is not None and flag_of(RETRACTED_FIELD, value)

    def _retraction(self, row: Row) -> RetractionData:
        found: dict[str, str] = {}
        for step in self._retraction_steps:
            value = step.value(row.values)
            text = step.text(value)
            if text is None:
                raise self._missing(step.name, value)
            found[step.name] = text
        return retraction_data(
            self._entry.kind, found[self._entry.entity_id], found["customer_id"], found[VERSION_FIELD]
        )

    def _fields(self, values: Mapping[str, object]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for step in self._steps:
            value = values.get(step.column) if step.plain else step.value(values)
            text = None if value is None else step.convert(step.name, value)
            if text is None and step.name == VERSION_FIELD and self._has_default:
                text = found[self._entry.own_date or ""]
            if text is None and step.name in self._required:
                raise self._missing(step.name, value)
            found[step.name] = text
        return found

    def _missing(self, name: str, value: object) -> RejectedRecord:
        return RejectedRecord(name, value, f"{required_because(self._entry, name)}, and missing")
