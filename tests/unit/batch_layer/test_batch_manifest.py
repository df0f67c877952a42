"""R19: a manifest is kept by what a run has reached, and never by a clock."""

from itertools import permutations

import msgspec
import pytest
from msgspec.structs import replace

from batch_layer.manifest import Manifest, Status, Step, decode, written_at
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.errors import BatchError

PLAN = Plan(7, Cut({0: 5}), "logic", "validation")
RUN = Manifest(batch_id=3, slot="b", plan=PLAN, status=Status.RUNNING, step=Step.AUDIT, started_at=1, owner="ada")
OLDER = {"batch_id": 3, "slot": "b", "plan": msgspec.to_builtins(PLAN), "started_at": 1, "seconds": {"archive": 1.5}}


def test_of_one_attempts_manifests_the_later_step_is_kept_in_whatever_order_they_arrive() -> None:
    """R19: the order is that of the steps."""
    steps = [replace(RUN, step=step) for step in Step]

    times = [written_at(manifest) for manifest in steps]

    assert times == sorted(set(times))


def test_an_owner_that_is_late_never_covers_what_the_one_that_took_over_has_reached() -> None:
    """R19: attempt 2 took over at the audit; attempt 1 goes on and writes its own end as stopped."""
    late = replace(RUN, status=Status.STOPPED, step=Step.PUBLISH, attempt=1)
    taken_over = replace(RUN, step=Step.AUDIT, attempt=2)

    assert written_at(late) < written_at(taken_over)


def test_published_is_never_covered() -> None:
    """R19: whoever published; the other one finds its claim lost, and stops later."""
    published = replace(RUN, status=Status.PUBLISHED, step=Step.FINISH, attempt=1)
    others = [
        replace(RUN, status=status, step=step, attempt=attempt)
        for status in (Status.RUNNING, Status.STOPPED, Status.ABANDONED)
        for step in Step
        for attempt in (1, 2, 999_999, 2_000_000)
    ]

    assert all(written_at(other) < written_at(published) for other in others)


def test_a_manifest_is_later_than_any_that_a_release_before_wrote_by_its_clock() -> None:
    year_2100 = 4_102_444_800_000_000

    assert written_at(replace(RUN, step=Step.PLAN)) > year_2100
    assert written_at(replace(RUN, status=Status.PUBLISHED, attempt=10**9)) < 2**63


@pytest.mark.parametrize("newer", [{"step": "unheard of"}, {"status": "paused"}, {"plan": {"snapshot": 7, "newer": 1}}])
def test_a_manifest_of_a_newer_release_is_refused_with_what_to_do(newer: dict[str, object]) -> None:
    """Releases share the table during an upgrade: no traceback is an operator's answer."""
    text = msgspec.json.encode(msgspec.to_builtins(RUN) | newer).decode()

    with pytest.raises(BatchError, match="a newer one wrote it"):
        decode(text)


@pytest.mark.parametrize(
    ("status", "step", "new"),
    [
        ("loading", Step.LOAD, Status.RUNNING),
        ("verified", Step.PUBLISH, Status.RUNNING),
        ("published", Step.FINISH, Status.PUBLISHED),
    ],
)
def test_a_manifest_of_the_release_before_is_read(status: str, step: Step, new: Status) -> None:
    text = msgspec.json.encode({**OLDER, "status": status, "rows": 9, "checksum": "sum"}).decode()

    found = decode(text)

    assert (found.step, found.status, found.rows, found.checksum, found.plan) == (step, new, 9, "sum", PLAN)
    assert found.seconds == {"archive": 1.5}


def test_a_manifest_is_read_as_it_was_written() -> None:
    for step, status in permutations([*Step, *Status], 2):
        if isinstance(step, Step) and isinstance(status, Status):
            manifest = replace(RUN, step=step, status=status)
            assert decode(msgspec.json.encode(manifest).decode()) == manifest


def test_the_release_before_can_list_the_manifests_of_this_one() -> None:
    """Its fields are all there, of the types that it knew: a run without a slot has an empty one."""

    class Before(msgspec.Struct):
        batch_id: int
        slot: str
        plan: Plan
        status: str
        started_at: int
        finished_at: int | None = None
        rows: int | None = None
        checksum: str | None = None
        seconds: dict[str, float] = {}

    begun = Manifest(batch_id=4, plan=PLAN, status=Status.RUNNING, step=Step.PLAN, started_at=1)

    found = msgspec.json.decode(msgspec.json.encode(begun), type=Before)

    assert (found.batch_id, found.slot, found.status) == (4, "", "running")
