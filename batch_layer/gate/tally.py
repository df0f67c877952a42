"""Counts records by their form: kind, source, fields and JSON types. Pure Python, in bounded memory."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from common.algebra.payloads import PAYLOADS
from common.log.position import Position
from common.log.shapes import NULL, Observed, Source, shape_of
from common.log.wire import RECORD_TYPES

IMPORT: Final = "import"
"""The source of all imported records: in its envelope, each record names its file."""
EVERY: Final = "*"
"""The source of all records of a kind that has more than `MOST_SOURCES` of them."""
MOST_SOURCES: Final = 20
MOST_ENTRIES: Final = 1_000
"""Pairs of field and type that one task reports of a source, at most: the most frequent ones."""
_MOST_FORMS: Final = 10_000
_KINDS: Final = {type_: entry.kind for type_, entry in RECORD_TYPES.items() if entry.kind in PAYLOADS}
_JSON_TYPES: Final[dict[type, str]] = {
    type(None): NULL,
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
    list: "array",
}


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    """What is read of a record, which may be one that validation rejects."""

    type: str
    data: dict[str, Any]
    source: Any = None


_Form = tuple[str, str, tuple[str, ...], tuple[type, ...]]
"""Kind and source; names and Python types of the fields of `data`."""


class Entry(NamedTuple):
    """How many records of a source have a field with a type, and the position of the first. No field: all records."""

    kind: str
    source: str
    field: str | None
    type: str | None
    records: int
    partition: int
    offset: int


class Tally:
    """Counts of forms, which are few where fields would be many: a record costs one look-up."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._forms: dict[_Form, list[int]] = {}
        self._entries: list[Entry] = []

    def add(self, value: bytes | None, partition: int, offset: int) -> None:
        """Counts a record, unless it is no JSON object with one of the known types, or a retraction."""
        try:
            record = self._decode(value or b"")
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return
        data = record.data
        kind = _KINDS.get(record.type)
        if kind is None or data.get("retracted") is True:
            return
        form = (kind, _source(record.source), tuple(data), tuple(map(type, data.values())))
        known = self._forms.get(form)
        if known is None:
            self._forms[form] = [1, partition, offset]
            if len(self._forms) > _MOST_FORMS:
                self._fold()
        else:
            known[0] += 1
            if (partition, offset) < (known[1], known[2]):
                known[1:] = partition, offset

    def entries(self) -> list[Entry]:
        """Returns the counts by field and type, for at most `MOST_SOURCES` sources of a kind."""
        self._fold()
        return self._entries

    def _fold(self) -> None:
        self._entries = list(_bounded([*self._entries, *self._by_field()]))
        self._forms.clear()

    def _by_field(self) -> Iterator[Entry]:
        for (kind, source, names, types), (records, partition, offset) in self._forms.items():
            yield Entry(kind, source, None, None, records, partition, offset)
            for name, of in zip(names, types, strict=True):
                yield Entry(kind, source, name, _JSON_TYPES[of], records, partition, offset)


def _source(text: object) -> str:
    if not isinstance(text, str):
        return "?"
    return IMPORT if text.startswith("file:") else text


def shapes_of(entries: Iterable[Entry]) -> list[Observed]:
    """Returns the shapes that the entries of all tasks make together, by kind and source."""
    by_source: dict[Source, list[Entry]] = defaultdict(list)
    for entry in _bounded(entries):
        by_source[Source(entry.kind, entry.source)].append(entry)
    return [_shape(source, by_source[source]) for source in sorted(by_source, key=lambda one: (one.kind, one.name))]


def _shape(source: Source, entries: list[Entry]) -> Observed:
    [total] = [entry for entry in entries if entry.field is None]
    types: dict[str, dict[str, int]] = defaultdict(dict)
    examples: dict[str, str] = {}
    for entry in entries:
        if entry.field is not None and entry.type is not None:
            types[entry.field][entry.type] = entry.records
            examples[f"{entry.field}:{entry.type}"] = str(Position(entry.partition, entry.offset))
    return Observed(source, shape_of(total.records, types), str(Position(total.partition, total.offset)), examples)


def _bounded(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yields the sums of the entries, with all sources as one where a kind has too many, without the rarest fields."""
    found = list(entries)
    sources = Counter(kind for kind, _ in {(entry.kind, entry.source) for entry in found})
    crowded = {kind for kind, count in sources.items() if count > MOST_SOURCES}
    crowded.update(entry.kind for entry in found if entry.source == EVERY)
    sums: dict[tuple[str, str], dict[tuple[str | None, str | None], Entry]] = defaultdict(dict)
    for entry in found:
        source = EVERY if entry.kind in crowded else entry.source
        of_source = sums[entry.kind, source]
        key = (entry.field, entry.type)
        of_source[key] = _sum(of_source.get(key), entry._replace(source=source))
    for of_source in sums.values():
        yield from sorted(of_source.values(), key=lambda one: (one.field is not None, -one.records))[:MOST_ENTRIES]


def _sum(known: Entry | None, more: Entry) -> Entry:
    if known is None:
        return more
    first = min((known.partition, known.offset), (more.partition, more.offset))
    return known._replace(records=known.records + more.records, partition=first[0], offset=first[1])
