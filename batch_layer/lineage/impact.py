"""What is touched if a part of a run is bad: datasets, columns, metrics, and the batches concerned. Pure.

Facts never expire, and each batch is computed from all of them: so a bad record counts in every batch from the one that
archived it on, until it is taken back. What a run keeps of its new records alone, it does not pass on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from batch_layer.lineage.event import Dataset, Event, ends_of
from batch_layer.lineage.target import STATE, Role, Target, role_of
from common.algebra.payloads import ERASURE
from common.algebra.profile import KIND as PROFILE

OF_NEW_RECORDS: Final = ("quarantine", "quality")
"""Tables that a run fills from its new records alone."""


@dataclass(slots=True)
class Touched:
    """A dataset that is touched."""

    namespace: str
    name: str
    short: str
    role: Role
    batches: list[int] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    """Those that are touched; empty where it is touched as a whole."""


@dataclass(slots=True)
class Impact:
    """The answer, for people and for JSON."""

    target: Target
    batches: list[int] = field(default_factory=list)
    """The published batches that are concerned."""
    added: dict[int, dict[str, int]] = field(default_factory=dict)
    """Of an origin: by batch, how many records it added, by kind."""
    datasets: list[Touched] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)


def impact(target: Target, events: Sequence[Event]) -> Impact:
    """Returns what is touched if `target` is bad."""
    made = Impact(target)
    known: dict[tuple[str, str], Touched] = {}
    kinds: set[str] = set()
    for run in ends_of(events):
        added = _added(target, run)
        if added:
            made.added[run.batch_id] = added
        kinds |= added.keys()
        touched = [*_touched(_Bad(target, run, frozenset(kinds), bool(added)))]
        if touched and run.is_published:
            made.batches.append(run.batch_id)
        for dataset, columns in touched:
            name = (dataset.namespace, dataset.name)
            each = known.setdefault(name, Touched(*name, dataset.short, role_of(dataset)))
            each.batches.append(run.batch_id)
            each.columns = [*dict.fromkeys((*each.columns, *columns))]
    made.datasets = sorted(known.values(), key=lambda each: [*Role].index(each.role))
    answered = (name for each in made.datasets if each.role is Role.ANSWERS for name in each.columns)
    made.metrics = [*dict.fromkeys(answered)]
    return made


@dataclass(frozen=True, slots=True)
class _Bad:
    """What is bad, as one run meets it."""

    target: Target
    run: Event
    kinds: frozenset[str]
    """Of an origin, the kinds that it added in this run or before: the master holds them."""
    is_new: bool
    """Whether an origin added them in this run."""

    def is_(self, *roles: Role) -> bool:
        return self.target.role in roles


def _added(target: Target, run: Event) -> dict[str, int]:
    """How many records an origin added in the run, by kind."""
    own = [each for each in run.inputs if each.is_origin and (Role.ORIGIN, each.name) == (target.role, target.name)]
    return {kind.kind: kind.records for each in own for kind in each.kinds}


def _touched(bad: _Bad) -> Iterator[tuple[Dataset, tuple[str, ...]]]:
    """Yields the datasets that are touched in the run, each with its columns, or with none if it is touched whole."""
    if bad.is_(Role.ORIGIN) and not bad.kinds:
        return
    measures = {name for each in bad.run.outputs if role_of(each) is Role.VIEW for name in _measures(bad, each)}
    metrics = {name for each in bad.run.outputs for name in _metrics(bad, each, measures)}
    yield from ((each, ()) for each in bad.run.inputs if role_of(each) is Role.LOG and bad.is_new)
    for each in bad.run.outputs:
        role = role_of(each)
        if role is Role.MASTER or each.short in OF_NEW_RECORDS:
            if _is_filled_from(bad, role):
                yield each, ()
        elif each.name != bad.target.name:
            names = {STATE + name for name in measures} if role is Role.VIEW else metrics
            if role is Role.TABLE:
                names = metrics.union(_made_of(each, metrics | measures))
            columns = tuple(name for name in each.columns if name in names)
            if columns:
                yield each, columns


def _is_filled_from(bad: _Bad, role: Role) -> bool:
    """Whether the master, or else a table that is filled from its new records, holds something of what is bad."""
    if role is Role.MASTER:
        return bad.is_(Role.ORIGIN, Role.LOG)
    return bad.is_new or bad.is_(Role.LOG, Role.MASTER, Role.COLUMN)


def _measures(bad: _Bad, view: Dataset) -> Iterator[str]:
    """Yields the measures of a view, and its fields of the profile, that are touched."""
    measures = () if view.facets.measures is None else view.facets.measures.measures
    kinds = {each.name: each.kind for each in measures}
    for name in (column.removeprefix(STATE) for column in view.columns if column.startswith(STATE)):
        match bad.target:
            case Target(Role.ORIGIN):
                is_touched = not bad.kinds.isdisjoint((kinds.get(name, PROFILE), ERASURE))
            case Target(Role.COLUMN, column):
                is_touched = _reads(view, name, column)
            case Target(Role.VIEW, own):
                is_touched = view.name == own
            case Target(Role.MEASURE, own):
                is_touched = name == own
            case target:
                is_touched = target.role in (Role.LOG, Role.MASTER)
        if is_touched:
            yield name


def _reads(view: Dataset, measure: str, column: str) -> bool:
    lineage = view.facets.lineage
    if lineage is None:
        return True
    own = lineage.fields.get(STATE + measure)
    return column in {each.field for each in (*lineage.dataset, *(() if own is None else own.input_fields))}


def _made_of(table: Dataset, names: set[str]) -> Iterator[str]:
    """Yields the columns of a table that are made of metrics, or fields of the profile, among `names`."""
    fields = {} if table.facets.lineage is None else table.facets.lineage.fields
    for column, of in fields.items():
        if not names.isdisjoint(each.field for each in of.input_fields):
            yield column


def _metrics(bad: _Bad, answers: Dataset, measures: set[str]) -> Iterator[str]:
    """Yields the metrics that are touched."""
    for each in () if answers.facets.metrics is None else answers.facets.metrics.metrics:
        is_named = bad.target in (Target(Role.METRIC, each.name), Target(Role.ANSWERS, answers.name))
        if is_named or not measures.isdisjoint((*each.measures, *each.profile_fields)):
            yield each.name
