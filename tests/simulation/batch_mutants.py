"""The audit, rebuilds and rollbacks, broken on purpose: each mutant forgets one clause (R13, R17, R18)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace as replace_sight
from typing import Any, Final

from msgspec.structs import replace

from batch_layer.audit import compare, passage, ranges, stored
from batch_layer.audit.compare import Gathered, Verdict
from batch_layer.audit.tally import Tally
from batch_layer.rebuild import plan
from batch_layer.rebuild.plan import Sight
from batch_layer.view.fold import Folded
from common.algebra import generation, marks, pointer
from common.algebra.cut import Cut
from common.algebra.pointer import Pointer
from common.log.events import Event
from common.progress import Progress

Patch = tuple[Any, str, Any]
"""What is patched, which of its attributes, and what stands in its place."""


def no_reset(*_: object) -> bool:
    """A customer that was erased above the new cut is compared, though its deltas are gone."""
    return False


def cut_of_after(gathered: Gathered, _: int, new_cut: int) -> Verdict:
    """The cut comes from the pointer as it is after the switch."""
    return COMPARED(gathered, new_cut, new_cut)


def sums_alone(tally: Tally, customer: str, verdict: Verdict | None) -> None:
    """Sums of all customers tell that something differs, and not of whom."""
    ADD(tally, customer, Verdict.SAME if verdict is Verdict.DRIFT else verdict)


def no_difference(*_: object) -> list[object]:
    """The facts are not compared."""
    return []


def no_objection(*_: object) -> None:
    """Every partition can be audited."""


def never_behind(*_: object) -> int:
    """Whatever is missing, the rebuild has caught up."""
    return 0


def resume_where_the_archive_ends(sight: Sight) -> Cut:
    """The new generation is built as far as the master goes, published or not."""
    return sight.archived


def greatest_cut(before: Pointer, partitions: range) -> Cut:
    """The new generation has the deltas that the current batch needs, and not those of one to roll back to."""
    cuts = [batch.plan.cut for batch in before.complete]
    return Cut.of({p: max((cut[p] for cut in cuts), default=0) for p in partitions})


def from_the_beginning(sight: Sight, built: Cut, _: Cut, **more: Any) -> list[Progress]:
    """A new generation claims to have every delta."""
    return PROGRESS_ROWS(sight, built, Cut.zero(), **more)


def as_if_built(sight: Sight, _: Cut, deltas: Cut, **more: Any) -> list[Progress]:
    """A new generation claims what is archived, built or not."""
    archived = {partition: sight.archived[partition] + 2 for partition in sight.partitions}
    return PROGRESS_ROWS(sight, Cut.of(archived), deltas, **more)


def as_if_skipped(sight: Sight) -> Cut:
    """Where workers skip to a batch's cut, the rebuild builds what is published only; its rows say more."""
    return RESUMES(replace_sight(sight, skip_to=Cut.zero()))


def rows_as_if_skipped(sight: Sight, built: Cut, deltas: Cut, **more: Any) -> list[Progress]:
    """The rows of the mutant above: workers go on at the batch's cut."""
    return PROGRESS_ROWS(sight, built.at_least(sight.skip_to), deltas, **more)


def deltas_of_the_current(before: Pointer, partitions: range) -> Cut:
    """What is skipped has no deltas, though a batch to roll back to needs them."""
    current = before.published
    return DELTAS_FROM(before, partitions) if current is None else current.plan.cut


def no_ranges(*_: object) -> list[object]:
    """Every copy is published, as a rebuild says."""
    return []


def keep_what_was_erased(rows: Folded, offset: int, appended_at: int, event: Event) -> None:
    """A rebuild passes erasures by."""
    if event.image is not None:
        APPLY(rows, offset, appended_at, event)


def first_generation(before: Pointer, batch_id: int) -> Pointer:
    """A rollback goes back to the speed tables of before a rebuild, too."""
    return replace(SWITCH(before, batch_id), generation=1)


def no_marks(before: Pointer, batch_id: int) -> Pointer:
    """A rollback forgets that there are marks."""
    return replace(SWITCH(before, batch_id), marked=False)


def at_the_beginning(_: int) -> int:
    """A mark is as old as the log, so that erasures which the batch absorbed delete it."""
    return 0


ADD, APPLY = Tally.add, Folded.apply
COMPARED, PROGRESS_ROWS, SWITCH = compare.compared, plan.progress_rows, pointer.switch
RESUMES, DELTAS_FROM = plan.resumes, plan.deltas_from

MUTANTS: Final[Mapping[str, Sequence[Patch]]] = {
    "the audit skips the reset rule": [(compare, "is_reset_above", no_reset)],
    "the audit reads the cut from the pointer of after": [
        (compare, "compared", cut_of_after),
        (ranges, "compared", cut_of_after),
    ],
    "the audit compares sums of all customers only": [(Tally, "add", sums_alone)],
    "the audit compares no facts": [(stored, "differences", no_difference)],
    "the audit takes expired deltas for alive": [(passage, "_expired", no_objection)],
    "the audit does not wait for the speed layer": [(passage, "_not_passed", no_objection)],
    "a mark is older than what the batch absorbed": [(marks, "timestamp_of", at_the_beginning)],
    "a rebuild switches before it caught up": [(plan, "behind", never_behind)],
    "a rebuild leaves copies below its switch unpublished": [(plan, "resumes", resume_where_the_archive_ends)],
    "a rebuild leaves out deltas that a rollback needs": [(plan, "deltas_from", greatest_cut)],
    "a rebuild claims a from_offset of zero": [
        (plan, "deltas_from", greatest_cut),
        (plan, "progress_rows", from_the_beginning),
    ],
    "a rebuild claims more than it built": [(plan, "progress_rows", as_if_built)],
    "workers skip to a cut below which nothing is built": [
        (plan, "resumes", as_if_skipped),
        (plan, "progress_rows", rows_as_if_skipped),
    ],
    "what workers skip has no deltas, and is claimed to": [
        (plan, "deltas_from", deltas_of_the_current),
        (plan, "progress_rows", from_the_beginning),
    ],
    "what workers skip is not told": [(plan, "unpublished", no_ranges)],
    "a rebuild passes erasures by": [(Folded, "apply", keep_what_was_erased)],
    "a rebuild switches though another one began": [(generation, "check_claimed", no_objection)],
    "a rollback changes the generation": [(pointer, "switch", first_generation)],
    "a rollback drops the marks": [(pointer, "switch", no_marks)],
}
FOCUS: Final = {
    **dict.fromkeys((name for name in MUTANTS if "rebuild" in name), "rebuilds"),
    **dict.fromkeys((name for name in MUTANTS if "audit" in name or "mark" in name), "tampering"),
    "the audit skips the reset rule": "erasures",
    "the audit takes expired deltas for alive": "expiry",
    "a rollback changes the generation": "rebuilds",
    **dict.fromkeys((name for name in MUTANTS if "skip" in name), "skips"),
}
