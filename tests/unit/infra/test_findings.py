"""R12, R15, R18: what `lambda360 doctor` says of the log's offsets, of losses and of marks."""

import pytest
from msgspec.structs import replace

from batch_layer.manifest import Manifest, Status, Step
from batch_layer.reports import AuditReport
from common.algebra.cut import Cut
from common.algebra.pointer import Loss, Plan, Pointer, Published
from common.progress import Progress
from infra.local.findings import archived, of_audits, of_exports, of_log, of_pointer

LOST = Loss(partition=0, from_offset=500, to_offset=700, accepted_at=1)


def applied(next_offset: int) -> dict[int, Progress]:
    return {0: Progress(0, 0, next_offset, next_offset, "v1", 1, 1)}


@pytest.mark.parametrize(
    ("first", "last", "at", "losses", "said"),
    [
        (0, 900, 900, (), "all that batch and workers need next is in Kafka"),
        (500, 900, 900, (), "all that batch and workers need next is in Kafka"),
        (700, 900, 900, (), "gone from Kafka, and in no batch: 0:500:700"),
        (700, 900, 900, (LOST,), "all that batch and workers need next is in Kafka"),
        (750, 900, 900, (LOST,), "gone from Kafka, and in no batch: 0:700:750"),
        (700, 900, 600, (LOST,), "gone from Kafka before workers applied them: 0:600:700; the master holds them, but"),
        (400, 900, 300, (), "gone from Kafka before workers applied them: 0:300:400; the master holds them"),
        (0, 499, 100, (), "partition 0 ends at 499, below what was archived or applied"),
        (0, 600, 601, (), "partition 0 ends at 600, below what was archived or applied"),
    ],
)
def test_r15_a_gap_is_named_before_a_batch_or_a_worker_meets_it(
    first: int, last: int, at: int, losses: tuple[Loss, ...], said: str
) -> None:
    found = of_log(Pointer(losses=losses), Cut.of({0: 500}), applied(at), {0: first}, {0: last})

    assert found.detail.startswith(said)
    assert found.well == said.startswith("all")
    assert found.well or "docs/runbook.md" in found.remedy or "speed rebuild" in found.remedy


def test_losses_and_marks_are_told_until_something_is_done() -> None:
    calm, lossy, marked = (
        [(found.subject, found.well) for found in of_pointer(pointer)]
        for pointer in (
            Pointer(losses=(Loss(0, 1, 2, 3, sent_again=True),)),
            Pointer(losses=(LOST,)),
            Pointer(marked=True),
        )
    )

    assert calm == [("generation", True)]
    assert lossy == [("generation", True), ("losses", False)]
    assert marked == [("generation", True), ("marks", False)]


def test_r18_batches_that_were_published_unaudited_are_named_with_the_reason() -> None:
    plan = Plan(snapshot=5, cut=Cut.of({0: 5}), logic_version="1", validation_version="1")
    complete = tuple(Published(number, slot, plan, 1, 1, "c") for number, slot in ((4, "a"), (5, "b"), (6, "c")))
    audited = AuditReport(
        generation=1, rows=1, checksum="c", is_complete=True, compared=1, skipped=0, facts=1, fact_customers=1
    )
    first = replace(audited, unaudited=("partition 0: the speed layer never ran",), unaudited_accepted=True)
    runs = [
        Manifest(batch_id=number, plan=plan, status=Status.PUBLISHED, step=Step.FINISH, started_at=1, audit=audit)
        for number, audit in ((6, audited), (5, None), (4, first), (3, first))
    ]

    found = list(of_audits(Pointer(current=5, complete=complete), runs))

    assert [(each.well, each.needed, each.detail) for each in found] == [
        (False, False, "batch 4 was published unaudited, in whole or in part: partition 0: the speed layer never ran"),
        (False, False, "batch 5 is current and was published unaudited, in whole or in part: it has no audit's report"),
    ]
    assert "batch verify 4" in found[0].remedy


def test_a_published_batch_whose_run_is_not_at_its_end_is_named_with_the_reason() -> None:
    plan = Plan(snapshot=5, cut=Cut.of({0: 5}), logic_version="1", validation_version="1")
    pointer = Pointer(current=5, complete=tuple(Published(n, s, plan, 1, 1, "c") for n, s in ((4, "a"), (5, "b"))))
    stopped = Manifest(
        batch_id=5, plan=plan, status=Status.STOPPED, step=Step.EXPORT, started_at=1, reason="the disk is full"
    )
    others = [
        replace(stopped, batch_id=4, status=Status.PUBLISHED, step=Step.FINISH),
        replace(stopped, batch_id=6, step=Step.AUDIT),
        replace(stopped, batch_id=3),
    ]

    found = list(of_exports(pointer, [stopped, *others]))

    assert [each.detail for each in found] == ["batch 5 is published, and stopped at export: the disk is full"]
    assert not found[0].well


@pytest.mark.parametrize(
    ("step", "below"), [(Step.PLAN, 5), (Step.ARCHIVE, 5), (Step.GATE, 9), (Step.LOAD, 9), (Step.FINISH, 9)]
)
def test_r15_what_a_run_only_planned_to_archive_is_not_taken_for_archived(step: Step, below: int) -> None:
    """A run that refuses to archive stops with its plan in the manifest."""
    plan = Plan(snapshot=5, cut=Cut.of({0: 5, 1: 3}), logic_version="1", validation_version="1")
    pointer = Pointer(current=4, complete=(Published(4, "a", plan, 1, 1, "c"),))
    planned = replace(plan, cut=Cut.of({0: 9, 1: 2}))
    run = Manifest(batch_id=5, plan=planned, status=Status.STOPPED, step=step, started_at=1)

    assert dict(archived([run], pointer).offsets) == {0: below, 1: 3}
