"""Losses, handled wrongly on purpose: each mutant forgets one clause of what is accepted as lost (R12, R15)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from batch_layer.master import archive, log
from batch_layer.master.table import Head
from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.progress import Progress
from infra.operate.losses import held
from infra.operate.losses.held import Found, Row
from serving_layer.answer import answers
from speed_layer.progress import keeper

Patch = tuple[Any, str, Callable[..., Any]]


def no_reasons(*_: object) -> list[str]:
    """Answers are exact, whatever is not declared as sent again."""
    return []


def jump(_: int, row: Progress | None, first: int, __: int) -> int:
    """A worker goes on where the log begins."""
    return max(0 if row is None else row.next_offset, first)


def read_what_is_held(_: object, first: Mapping[int, int], starts: Cut, *__: object) -> Cut:
    """A batch archives what Kafka still holds."""
    return starts.at_least(Cut.of(first))


def nothing_held(_: Iterable[Row], __: Sequence[Range], ___: int) -> Found:
    """What the speed tables hold of a lost range is not sent again."""
    return Found()


def nameless(*arguments: Any) -> Head:
    """A commit of the master does not say what it lacks."""
    others: Sequence[Any] = arguments[:-1]
    return HEAD_AFTER(*others, ())


HEAD_AFTER: Final[Callable[..., Head]] = archive.head_after

MUTANTS: Final[Mapping[str, Sequence[Patch]]] = {
    "an answer is exact though its loss is not declared as sent again": [(answers, "loss_reasons", no_reasons)],
    "a worker jumps a gap": [(keeper, "start_of", jump)],
    "an archive jumps a gap that no accepted range covers": [(log, "held_from", read_what_is_held)],
    "what the speed tables held of a loss is not sent again": [(held, "held_in", nothing_held)],
    "an archive's commit forgets the accepted ranges": [(archive, "head_after", nameless)],
}
FOCUS: Final = dict.fromkeys(MUTANTS, "losses")
