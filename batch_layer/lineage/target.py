"""What a question about lineage names: a dataset, a column, a measure or a metric of the kept events. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from batch_layer.lineage.event import Dataset, Event
from common.errors import UsageError

MASTER: Final = "events"
STATE: Final = "state."
"""How a view's columns begin that are measures, or fields of the profile."""
_MOST_NAMED: Final = 12


class Role(StrEnum):
    """What something is to a run, from where records come from to what is answered."""

    ORIGIN = "origin"
    LOG = "log"
    MASTER = "master"
    COLUMN = "column of the master"
    VIEW = "view"
    MEASURE = "measure or profile field"
    ANSWERS = "answers"
    METRIC = "metric"
    TABLE = "table"
    """Any other dataset that a run writes."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is named; `name` is a dataset's whole name, or the last part of a column's."""

    role: Role
    name: str


def role_of(dataset: Dataset) -> Role:
    """Returns what a dataset is to a run."""
    if dataset.is_origin:
        return Role.ORIGIN
    if dataset.input_facets.offsets is not None:
        return Role.LOG
    if dataset.facets.measures is not None:
        return Role.VIEW
    if dataset.facets.metrics is not None:
        return Role.ANSWERS
    return Role.MASTER if dataset.short == MASTER else Role.TABLE


def found(text: str, events: Sequence[Event]) -> Target:
    """Returns what `text` names in the events: a dataset by its name or its last part, a column by `events.amount`.

    A measure or a metric may be named alone; if a name is both, the measure is meant, since the metric follows from it.
    Raises UsageError, which lists what there is, if it names nothing or several files.
    """
    candidates = {*_named(text, events)}
    if len(candidates) == 1:
        return candidates.pop()
    if candidates:
        names = ", ".join(sorted(each.name for each in candidates))
        raise UsageError("DATASET", text, f"one dataset, by more of its path; there are {names}")
    raise UsageError("DATASET", text, _known(events))


def _named(text: str, events: Sequence[Event]) -> Iterator[Target]:
    datasets = [*dict.fromkeys((role_of(each), each.name) for each in _datasets(events))]
    whole = [Target(role, name) for role, name in datasets if _is(role, name, text)]
    yield from [each for each in whole if each.name == text] or whole
    if not whole:
        yield from sorted({*_columns(text, events)}, key=lambda each: [*Role].index(each.role))[:1]


def _is(role: Role, name: str, text: str) -> bool:
    if role is Role.ORIGIN:
        plain = text.removeprefix("file://")
        folder = f"{PurePath(plain).parent}/*"  # stands for its files where a run read very many
        return name in (plain, folder) or PurePath(name).parts[-len(PurePath(plain).parts) :] == PurePath(plain).parts
    return name == text or name.endswith((f"/{text}", f".{text}"))


def _columns(text: str, events: Sequence[Event]) -> Iterator[Target]:
    of, _, column = text.rpartition(".")
    for each in _datasets(events):
        role = role_of(each)
        if role is Role.MASTER and of == MASTER and column in each.columns:
            yield Target(Role.COLUMN, column)
        elif role is Role.VIEW and of in ("", "state", each.short, f"{each.short}.state"):
            if STATE + column in each.columns:
                yield Target(Role.MEASURE, column)
        elif role is Role.ANSWERS and of in ("", each.short) and column in each.columns:
            yield Target(Role.METRIC, column)


def _datasets(events: Sequence[Event]) -> Iterator[Dataset]:
    for event in events:
        yield from event.inputs
        yield from event.outputs


def _known(events: Sequence[Event]) -> str:
    if not events:
        return "a part of a run; no run is kept yet: `lambda360 batch run` keeps the first"
    names = [*dict.fromkeys(each.name if each.is_origin else each.short for each in _datasets(events))]
    listed = ", ".join(sorted(names)[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    return (
        f"a part of a run that is kept: a column such as events.amount, a metric, or one of {listed}. Of a file that "
        "was imported since the last batch, no run knows yet"
    )
