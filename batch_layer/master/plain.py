"""Validation column by column, of those records that are plainly valid; `parse` decides about all others (R3).

A long history is archived three times as fast this way. Each condition here is sufficient for the rule that `parse`
checks, and none is necessary: a record that is not understood is left, never rejected. So nothing here is a rule, and
laws compare the result with `parse` over generated and broken records.
"""

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, cast, get_args, get_origin

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.master.murmur import partitions_of
from common.log.decoding import MAX_DEPTH
from common.log.events import FUTURE_MARGIN_MICROS
from common.log.normalizing import Rules
from common.log.wire import BY_KIND, RecordType

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
PLAIN_TEXT: Final = r"^[0-9A-Za-z]([ -.0-~]{0,62}[0-9A-Za-z])?$"
"""1 to 64 printable ASCII characters without '/', a letter or digit at both ends: an id by any rule of validation."""
PLAIN_DATE: Final = (
    r"^(19[7-9][0-9]|20[0-9]{2})-"
    r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
"""A day that each of its years has, so not February 29."""
PLAIN_MOMENT: Final = PLAIN_DATE + r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z$"
PLAIN_AMOUNT: Final = r"^[0-9]{1,10}(\.[0-9]{1,2})?$"
_MIDNIGHT: Final = "T00:00:00Z"
_ENVELOPE_TEXT: Final = 512
"""Characters of the envelope's `id` and `source`, at most."""


class Kind(NamedTuple):
    """How the columns of a kind's payload follow from the fields of its data."""

    own_date: str
    """The column and the field of the entity's own date, which is its version where it has no `updated_at`."""
    copied: tuple[str, ...]
    """Columns that are fields of the same name."""
    amount: str | None = None
    """The field that is the column `amount` in cents."""


KINDS: Final = {
    "order": Kind("order_date", ("status",), "total_amount"),
    "refund": Kind("refunded_at", ("order_id",), "amount"),
    "marketing_event": Kind("event_date", ("event_type", "campaign_id")),
}
"""The kinds of long histories."""


class Part(NamedTuple):
    """The plainly valid records of one kind: their places in the batch, and those columns of `PARSED` that it has."""

    places: npt.NDArray[np.intp]
    columns: dict[str, pa.Array]


def plainly_valid(batch: pa.RecordBatch, partitions: int, rules: Rules) -> list[Part]:
    """Returns the plainly valid records among those of `batch`, which has the columns `RAW`."""
    shallow = _flags(_nesting(batch["value"]))
    own = batch["kafka_partition"].to_numpy() == partitions_of(batch["key"], partitions)
    found: dict[type, tuple[list[int], list[Any]]] = {each: ([], []) for each in _DECODED}
    decode = _DECODER.decode
    for place, text in enumerate(_texts(batch["value"])):
        if text is not None and shallow[place] and own[place]:
            try:
                record = decode(text)
            except msgspec.DecodeError:
                continue
            places, records = found[type(record)]
            places.append(place)
            records.append(record)
    return [_part(batch, _DECODED[each], *of, rules) for each, of in found.items() if of[0]]


def _nesting(values: pa.Array) -> pa.Array:
    return pc.less_equal(pc.add(pc.count_substring(values, "["), pc.count_substring(values, "{")), MAX_DEPTH)


def _texts(values: pa.Array) -> Sequence[str | None]:
    """The values as text; None for one that is none, or not UTF-8."""
    try:
        return cast("list[str | None]", values.cast(pa.string()).to_pylist())
    except pa.ArrowInvalid:
        return [_text(value) for value in values.to_pylist()]


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _part(batch: pa.RecordBatch, entry: RecordType, places: list[int], records: list[Any], rules: Rules) -> Part:
    """The plainly valid ones among the records of one kind."""
    kind = KINDS[entry.kind]
    fields = _Fields(records)
    customer = fields.plain("customer_id")
    keys = batch["key"].take(pa.array(places))
    fields.require(pc.equal(keys, customer.cast(pa.binary())))
    fields.require(pc.equal(fields.envelope("subject"), customer))
    for name in ("id", "source"):
        length = pc.utf8_length(fields.envelope(name))
        fields.require(pc.and_(pc.greater(length, 0), pc.less_equal(length, _ENVELOPE_TEXT)))
    media_type = fields.envelope("datacontenttype")
    fields.require(pc.fill_null(pc.equal(media_type, "application/json"), fill_value=True))
    fields.require(pc.invert(pa.array([each.data.retracted for each in records], pa.bool_())))
    occurred = fields.moment(fields.envelope("time"))
    own_date = fields.data(kind.own_date)
    own = fields.moment(own_date)
    version = fields.moment(pc.coalesce(fields.data("updated_at"), own_date))
    columns = {name: fields.data(name) if name in _CHOICES[entry.kind] else fields.plain(name) for name in kind.copied}
    if kind.amount is not None:
        fields.require(pc.fill_null(pc.equal(fields.data("currency"), rules.currency), fill_value=True))
        columns["amount"] = fields.cents(kind.amount)
    appended = batch["appended_at"].take(pa.array(places)).to_numpy()
    latest = np.maximum(np.maximum(occurred, own), version)
    columns |= {
        "customer_id": customer,
        "kind": pa.repeat(entry.kind, len(records)),
        "entity_id": fields.plain(entry.entity_id),
        "version": pa.array(version),
        "retracted": pa.repeat(False, len(records)),
        "future_dated": pa.array(latest > appended + FUTURE_MARGIN_MICROS),
        kind.own_date: pa.array(own),
    }
    chosen = pa.array(fields.holding)
    kept = {name: column.filter(chosen) for name, column in columns.items()}
    return Part(np.array(places, np.intp)[fields.holding], kept)


class _Fields:
    """The fields of decoded records as columns, and which of the records meet every condition so far."""

    def __init__(self, records: Sequence[Any]) -> None:
        self._records = records
        self._data = [record.data for record in records]
        self.holding: Flags = np.ones(len(records), bool)

    def require(self, condition: pa.Array) -> None:
        """Leaves out the records whose condition is not true; null is not."""
        self.holding &= _flags(condition)

    def envelope(self, name: str) -> pa.Array:
        return _column(self._records, operator.attrgetter(name))

    def data(self, name: str) -> pa.Array:
        return _column(self._data, operator.attrgetter(name))

    def plain(self, name: str) -> pa.Array:
        """Returns a field of the data, which must be a plain text."""
        texts = self.data(name)
        self.require(pc.match_substring_regex(texts, PLAIN_TEXT))
        return texts

    def moment(self, texts: pa.Array) -> Ints:
        """Returns plain dates and moments in microseconds since the epoch (UTC); 0 for others, which are left out."""
        whole = pc.if_else(
            pc.equal(pc.utf8_length(texts), 10), pc.binary_join_element_wise(texts, _MIDNIGHT, ""), texts
        )
        matching = pc.match_substring_regex(whole, PLAIN_MOMENT)
        self.require(matching)
        named = pc.if_else(matching, whole, f"1970-01-01{_MIDNIGHT}")
        moments: Ints = named.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
        return moments

    def cents(self, name: str) -> pa.Array:
        """Returns plain amounts in cents; 0 for others, which are left out."""
        texts = self.data(name)
        matching = pc.match_substring_regex(texts, PLAIN_AMOUNT)
        self.require(matching)
        amounts = pc.if_else(matching, texts, "0").cast(pa.decimal128(12, 2))
        return pc.multiply(amounts, pa.scalar(100, pa.decimal128(3, 0))).cast(pa.int64())


def _column(owners: Sequence[Any], read: Callable[[Any], str | None]) -> pa.Array:
    return pa.array(map(read, owners), pa.string(), size=len(owners))


def _flags(condition: pa.Array) -> Flags:
    found: Flags = pc.fill_null(condition, fill_value=False).to_numpy(zero_copy_only=False)
    return found


def _decoded(entry: RecordType) -> type[msgspec.Struct]:
    """The record's type without the rules of its texts: what it decodes is checked in columns, or left."""
    data = msgspec.defstruct(f"Plain{entry.data.__name__}", _fields(entry.data), frozen=True, gc=False)
    own = [*_fields(entry.record, but="data"), ("data", data)]
    name = f"Plain{entry.record.__name__}"
    return msgspec.defstruct(name, own, frozen=True, gc=False, kw_only=True, tag_field="type", tag=entry.type)


def _fields(owner: type[msgspec.Struct], but: str = "") -> list[Any]:
    return [
        (each.name, _without_rules(each.type), *(() if each.required else (each.default,)))
        for each in msgspec.structs.fields(owner)
        if each.name != but
    ]


def _without_rules(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        plain = get_args(kind)[0]
        return plain if plain is str else kind
    if get_origin(kind) in (Union, UnionType):
        return reduce(operator.or_, map(_without_rules, get_args(kind)))
    return kind


_DECODED: Final = {_decoded(BY_KIND[kind]): BY_KIND[kind] for kind in KINDS}
_DECODER: Final = msgspec.json.Decoder(reduce(operator.or_, _DECODED))
_CHOICES: Final = {
    entry.kind: {each.name for each in msgspec.structs.fields(entry.data) if _without_rules(each.type) is each.type}
    for entry in _DECODED.values()
}
"""The fields of data that hold one of a few values, which the decoder checks."""
