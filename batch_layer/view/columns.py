"""The second interpreter of the measures: from a bucket's rows, column by column, to one row for each customer (R7).

Pure. The first interpreter is `common.algebra.measures.contribution`, which sees one fact at a time. Both read the same
table, and laws compare them over generated rows.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Image
from common.algebra.measures import Measure, Where
from common.algebra.payloads import ERASURE, Retracted
from common.algebra.profile import KIND as PROFILE
from common.algebra.profile import CustomerProfile

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
"""Indices of rows."""
Flags = npt.NDArray[np.bool_]
BLOCK: Final = 400_000
"""Day sums whose text is made at once: an Arrow array of strings holds less than 2 GiB."""
_NO_PROFILE: Final = "null"


class Texts(NamedTuple):
    """A column of texts: `values[code]` for each row; the code of a null is the number of values."""

    codes: Places
    values: pa.Array


class Rows(Protocol):
    """The valid rows of whole customers below the cut, in any order. Each call reads one column."""

    def ints(self, name: str) -> pa.Array:
        """An `int64` array."""

    def flags(self, name: str) -> Flags:
        """A column of booleans; null counts as False."""

    def texts(self, name: str) -> Texts:
        """A column of texts."""


class DaySums(NamedTuple):
    """The sums of contributions, ascending by customer and day, each pair once.

    `values` has an entry for each measure that was summed, by its number.
    """

    customers: Places
    days: Ints
    values: dict[int, Ints]


class States(NamedTuple):
    """Rows of the view: ids, and the text of `ViewRow.to_json`."""

    customers: pa.Array
    texts: pa.Array


def states(rows: Rows, measures: Sequence[Measure]) -> Iterator[States]:
    """Yields one row for each customer with a current fact (R16), also where the state is zero."""
    customer = rows.texts("customer_id")
    kind = rows.texts("kind")
    kinds = kind.values.to_pylist()
    current = _current(rows, customer, kind, kinds)
    known = np.zeros(len(customer.values), bool)
    known[customer.codes[current]] = True
    profiles = _profiles(rows, current, customer, kind, kinds)
    facts = current[~rows.flags("retracted")[current]]
    sums = _merged(
        [
            _day_sums(rows, facts[kind.codes[facts] == kinds.index(of_kind)], customer, day, asked)
            for (of_kind, day), asked in _by_day(measures).items()
            if of_kind in kinds
        ]
    )
    yield from _texts(sums, len(measures), customer.values, known, profiles)


def _by_day(measures: Sequence[Measure]) -> dict[tuple[str, str], list[tuple[int, Measure]]]:
    """Returns the measures, each with its number, by kind and by the field that names the day."""
    found: dict[tuple[str, str], list[tuple[int, Measure]]] = {}
    for number, measure in enumerate(measures):
        found.setdefault((measure.kind, measure.day), []).append((number, measure))
    return found


def _current(rows: Rows, customer: Texts, kind: Texts, kinds: Sequence[str]) -> Places:
    """Returns the places of the current facts: of each entity the row of greatest (version, retracted, offset).

    Only rows above their customer's last erasure count (R4, R24).
    """
    live = np.ones(len(kind.codes), bool)
    if ERASURE in kinds:
        offsets = _filled(rows.ints("kafka_offset"))
        erasures = kind.codes == kinds.index(ERASURE)
        reset = np.full(len(customer.values), -1, np.int64)
        np.maximum.at(reset, customer.codes[erasures], offsets[erasures])
        live = offsets > reset[customer.codes]
    entity = rows.texts("entity_id").codes
    repeated = live & (np.bincount(entity, minlength=1)[entity] > 1)
    keep = live & ~repeated
    doubtful = np.flatnonzero(repeated)  # only these are sorted: most ids occur once
    if len(doubtful):
        keys = customer.codes[doubtful], kind.codes[doubtful], entity[doubtful]
        rank = (_filled(rows.ints(name))[doubtful] for name in ("kafka_offset", "version"))
        offset, version = rank
        order = np.lexsort((offset, rows.flags("retracted")[doubtful], version, *keys))
        last = np.zeros(len(order), bool)
        for key in keys:
            last |= _changes(key[order], at_end=True)
        keep[doubtful[order[last]]] = True
    return np.flatnonzero(keep)


def _day_sums(rows: Rows, facts: Places, customer: Texts, day: str, measures: Sequence[tuple[int, Measure]]) -> DaySums:
    """Returns the sums of `measures`, all of one kind and one `day` field, over the places `facts`."""
    moments = rows.ints(day)
    if moments.null_count:
        facts = facts[moments.is_valid().to_numpy(zero_copy_only=False)[facts]]
    days = _filled(moments)[facts] // MICROS_PER_DAY
    least = int(days.min()) if len(days) else 0
    span = int(days.max()) - least + 1 if len(days) else 1
    keys = customer.codes[facts].astype(np.int64) * span + (days - least)
    order = np.argsort(keys)
    keys, source = keys[order], facts[order]
    starts = np.flatnonzero(_changes(keys, at_end=False))
    holding: dict[Where, Flags] = {}
    values: dict[int, Ints] = {}
    for number, measure in measures:
        added = np.ones(len(source), np.int64) if measure.value is None else _filled(rows.ints(measure.value))[source]
        if measure.where is not None:
            if measure.where not in holding:
                holding[measure.where] = _holding(rows.texts(measure.where.field), measure.where)[source]
            added = added * holding[measure.where]
        values[number] = np.add.reduceat(added, starts) if len(starts) else added
    found, ordinal = np.divmod(keys[starts], span)
    return DaySums(found, ordinal + least, values)


def _holding(texts: Texts, where: Where) -> Flags:
    """Returns for each row whether the condition holds; a null is none of any values."""
    by_value = np.array([(value in where.values) is not where.negated for value in (*texts.values.to_pylist(), None)])
    held: Flags = by_value[texts.codes]
    return held


def _merged(parts: Sequence[DaySums]) -> DaySums:
    """Returns the sums of all parts, without the days whose values are all zero."""
    parts = [part for part in parts if len(part.days)]
    if not parts:
        none = np.zeros(0, np.int64)
        return DaySums(none, none, {})
    least = min(int(part.days.min()) for part in parts)
    span = max(int(part.days.max()) for part in parts) - least + 1
    keys = [part.customers.astype(np.int64) * span + (part.days - least) for part in parts]
    together = keys[0] if len(parts) == 1 else np.sort(np.concatenate(keys))
    together = together[_changes(together, at_end=False)]
    values: dict[int, Ints] = {}
    for part, own in zip(parts, keys, strict=True):
        places = None if len(parts) == 1 else np.searchsorted(together, own)
        for number, sums in part.values.items():
            if places is not None:
                spread = np.zeros(len(together), np.int64)
                spread[places] = sums
                sums = spread  # noqa: PLW2901 # the same sums, at the places of all days
            values[number] = sums
    counts = np.zeros(len(together), bool)
    for sums in values.values():
        counts |= sums != 0
    customers, ordinal = np.divmod(together[counts], span)
    return DaySums(customers, ordinal + least, {number: sums[counts] for number, sums in values.items()})


def _profiles(rows: Rows, current: Places, customer: Texts, kind: Texts, kinds: Sequence[str]) -> dict[int, str]:
    """Returns the text of the current profile's `Image` by customer, also of a retracted one (R5a)."""
    if PROFILE not in kinds:
        return {}
    places = current[kind.codes[current] == kinds.index(PROFILE)]
    chosen = pa.array(places)
    columns: list[list[int | str | None]] = []
    for field in msgspec.structs.fields(CustomerProfile):
        if "str" in str(field.type):
            texts = rows.texts(field.name)
            values = [*texts.values.to_pylist(), None]
            columns.append([values[code] for code in texts.codes[places]])
        else:
            columns.append(rows.ints(field.name).take(chosen).to_pylist())
    versions = rows.ints("version").take(chosen).to_pylist()
    retracted = rows.flags("retracted")[places].tolist()
    found: dict[int, str] = {}
    for owner, version, gone, *content in zip(
        customer.codes[places].tolist(), versions, retracted, *columns, strict=True
    ):
        payload = Retracted(PROFILE) if gone else CustomerProfile(*content)
        found[owner] = msgspec.json.encode(Image(version, payload)).decode()
    return found


def _texts(sums: DaySums, measures: int, ids: pa.Array, known: Flags, profiles: dict[int, str]) -> Iterator[States]:
    """Yields the rows of the known customers: those with day sums in blocks, and the others at the end."""
    ends = _Endings(profiles)
    first = _changes(sums.customers, at_end=False)
    begin = 0
    while begin < len(first):
        # A block ends where a customer begins.
        end = min(begin + BLOCK, len(first))
        while end < len(first) and not first[end]:
            end += 1
        yield _block(sums, slice(begin, end), first[begin:end], measures, ids, ends)
        begin = end
    rest = known.copy()
    rest[sums.customers] = False
    others = np.flatnonzero(rest)
    if len(others):
        yield States(ids.take(pa.array(others)), pa.array([f'{{"days":{{{ends.text(one)}' for one in others.tolist()]))


class _Endings:
    """What follows a customer's days: the end of the object, with the profile."""

    def __init__(self, profiles: dict[int, str]) -> None:
        self._profiles = profiles

    def text(self, customer: int) -> str:
        return f'}},"profile":{self._profiles.get(customer, _NO_PROFILE)}}}'

    def of(self, customers: Places, last: Flags) -> pa.Array:
        """Returns what follows each day's values: a bracket and, behind a customer's last day, the ending."""
        named = [one for one in np.unique(customers[last]).tolist() if one in self._profiles] if self._profiles else []
        texts = ["]", f"]{self.text(-1)}", *(f"]{self.text(one)}" for one in named)]
        codes = last.astype(np.int32)
        if named:
            places = np.searchsorted(named, customers)
            places[places == len(named)] = 0
            has_profile = last & (np.array(named)[places] == customers)
            codes[has_profile] = places[has_profile] + 2
        return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts)).dictionary_decode()


def _block(sums: DaySums, part: slice, first: Flags, measures: int, ids: pa.Array, ends: _Endings) -> States:
    """Returns the rows of the customers in `part`, which begins and ends between two customers."""
    customers = sums.customers[part]
    last = np.append(first[1:], True)
    begins = pa.DictionaryArray.from_arrays(pa.array(first.astype(np.int8)), pa.array([',"', '{"days":{"']))
    pieces: list[pa.Array | pa.Scalar] = [begins.dictionary_decode(), _decimal(sums.days[part]), pa.scalar('":[')]
    literal = ""
    for number in range(measures):
        literal += "," if number else ""
        values = sums.values.get(number)
        if values is None or not values[part].any():
            literal += "0"
            continue
        if literal:
            pieces.append(pa.scalar(literal))
        pieces.append(_decimal(values[part]))
        literal = ""
    if literal:
        pieces.append(pa.scalar(literal))
    pieces.append(ends.of(customers, last))
    days = pc.binary_join_element_wise(*pieces, "")
    # A customer's days lie side by side in the buffer, so the state is a slice of it.
    bounds = np.frombuffer(days.buffers()[1], np.int32, len(days) + 1, days.offset * 4)
    starts = np.flatnonzero(first)
    offsets = pa.py_buffer(np.append(bounds[starts], bounds[-1]).astype(np.int32))
    texts = pa.StringArray.from_buffers(len(starts), offsets, days.buffers()[2])
    return States(ids.take(pa.array(customers[starts])), texts)


def _decimal(values: Ints) -> pa.Array:
    """Returns the numbers as texts; small ones, which are most, are looked up."""
    most = int(values.max())
    if int(values.min()) >= 0 and most < 1_000:
        return pa.array([str(number) for number in range(most + 1)]).take(pa.array(values))
    return pc.cast(pa.array(values), pa.string())


def _changes(values: npt.NDArray[np.integer], *, at_end: bool) -> Flags:
    """Returns where a run of equal values begins or, with `at_end`, where it ends."""
    differs = values[1:] != values[:-1]
    if not len(values):
        return np.zeros(0, bool)
    return np.append(differs, True) if at_end else np.append(True, differs)


def _filled(column: pa.Array) -> Ints:
    found: Ints = (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)
    return found
