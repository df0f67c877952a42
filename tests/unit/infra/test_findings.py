"""R12, R15, R18: what `lambda360 doctor` says of the log's offsets, of losses and of marks."""

import pytest

from common.algebra.cut import Cut
from common.algebra.pointer import Loss, Pointer
from common.progress import Progress
from infra.local.findings import of_log, of_pointer

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
