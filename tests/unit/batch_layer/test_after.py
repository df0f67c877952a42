"""R19: what fails after the switch says that the batch is published, and is an outage only where a server is away."""

from types import SimpleNamespace
from typing import Any

import pytest

from batch_layer import after
from batch_layer.manifest import Step
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Published
from common.errors import BatchError, ExportFailed, Lambda360Error, StoreUnavailable, WarehouseUnavailable

DONE = Published(7, "a", Plan(1, Cut.zero(), "2", "3"), 1, 1, "sum")


def exported(monkeypatch: pytest.MonkeyPatch, error: Lambda360Error | None) -> list[object]:
    """What the run's record and its report are told of an export that raises `error`, or ends well."""
    told: list[object] = []

    def export(job: Any, batch: Published) -> str:
        if error is not None:
            raise error
        return f"batch {batch.batch_id}"

    job = SimpleNamespace(done=lambda step, figures: told.append((step, figures)))
    record: Any = SimpleNamespace(job=job, enter=told.append)
    monkeypatch.setattr(after, "export", export)
    after.exported(record, DONE)
    return told


def test_the_step_is_recorded_before_it_begins_and_reported_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exported(monkeypatch, None) == [Step.EXPORT, ("export", "batch 7")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BatchError("the disk is full"), ExportFailed),
        (StoreUnavailable("the disk is full"), StoreUnavailable),
        (WarehouseUnavailable("the disk is full"), WarehouseUnavailable),
    ],
)
def test_a_failure_says_that_the_batch_is_published_what_is_missing_and_the_way_on(
    monkeypatch: pytest.MonkeyPatch, error: Lambda360Error, kind: type[Lambda360Error]
) -> None:
    with pytest.raises(kind) as caught:
        exported(monkeypatch, error)

    assert type(caught.value) is kind
    assert str(caught.value) == (
        "batch 7 is published, and its export (warehouse, features and rankings) is not complete: the disk is full. "
        "The next `lambda360 batch run` finishes it"
    )
