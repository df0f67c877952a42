"""R22: when an answer is degraded, and why."""

import pytest

from common.progress import Progress
from common.settings import ServingSettings
from serving_layer.answer.provenance import Condition, Release, condition
from serving_layer.answer.reasons import Reason, names
from serving_layer.schemas.provenance import ReasonName
from tests.support.serving_fakes import NOW, RELEASE, progress, published

LIMITS = ServingSettings(max_behind_records=10, max_behind_seconds=5.0)
SECOND = 1_000_000
VALIDATION = RELEASE.validation_version


def judged(
    speed: Progress | None = None, *, cut: int | None = None, release: Release = RELEASE, silent: bool = False
) -> Condition:
    """The condition of partition 2, with a batch of `release` if there is a cut."""
    batch = None if cut is None else published(batch_id=3, cut=cut, release=release)
    found = None if silent else speed or progress()
    return condition(2, batch, found, release=RELEASE, limits=LIMITS, now=NOW)


def test_a_speed_layer_within_its_limits_is_exact() -> None:
    speed = progress(90, end_offset=100, caught_up_at=NOW - 5 * SECOND, beat_at=NOW - 5 * SECOND)
    assert judged(speed) == Condition((), behind_records=10, behind_seconds=5.0, complete_below=90)


def test_a_batch_ahead_of_the_speed_layer_is_exact_and_complete_below_its_cut() -> None:
    """R21: a batch ahead makes answers newer, never wrong."""
    assert judged(progress(90), cut=95) == Condition((), 0, 0.0, complete_below=95)


def test_a_speed_layer_without_progress_never_ran() -> None:
    assert judged(silent=True) == Condition(
        (Reason(ReasonName.NEVER_RAN, "the speed layer never ran in partition 2"),), None, None, 0
    )
    assert judged(silent=True, cut=7).complete_below == 7


@pytest.mark.parametrize(
    ("speed", "reason"),
    [
        (progress(90, end_offset=101), "the speed layer is 11 records behind, more than 10"),
        (progress(90, end_offset=91, caught_up_at=NOW - 6 * SECOND), "the speed layer is 6 s behind, more than 5 s"),
        (progress(90, end_offset=91, caught_up_at=None), "the speed layer has not caught up with the log yet"),
        (progress(beat_at=NOW - 6 * SECOND), "the speed layer is silent for 6 s, more than 5 s"),
        (progress(beat_at=None), "the speed layer has never sent a heartbeat"),
        (
            progress(validation_version="v0"),
            f"validation_version of the speed layer is v0, of this release {RELEASE.validation_version}",
        ),
        (
            progress(validation_version=f"v0,{VALIDATION}"),
            f"validation_version of the speed layer is v0 and {VALIDATION}, of this release {VALIDATION}",
        ),
    ],
)
def test_a_speed_layer_that_is_late_silent_or_of_another_release_degrades(speed: Progress, reason: str) -> None:
    assert judged(speed).reasons == (reason,)


def test_a_speed_layer_that_is_silent_and_behind_says_so_once() -> None:
    speed = progress(90, end_offset=500, beat_at=NOW - 60 * SECOND, caught_up_at=NOW - 90 * SECOND)
    assert judged(speed).reasons == ("the speed layer is silent for 60 s, more than 5 s",)
    assert (judged(speed).behind_records, judged(speed).behind_seconds) == (410, 90.0)


@pytest.mark.parametrize(("cut", "lost"), [(8, True), (9, False), (None, True)])
def test_a_cut_below_the_first_delta_that_is_kept_degrades(cut: int | None, lost: bool) -> None:
    """Deltas in [cut, from_offset) are gone; without a batch the cut is zero."""
    reason = f"cut {cut or 0} is below from_offset 9: deltas between them are gone"
    assert judged(progress(from_offset=9), cut=cut).reasons == ((reason,) if lost else ())


def test_a_batch_of_another_release_degrades() -> None:
    """A short or differently computed sum never looks like a good one."""
    reasons = judged(cut=0, release=Release("l0", "v0")).reasons
    assert reasons == (
        f"logic_version of batch 3 is l0, of this release {RELEASE.logic_version}",
        f"validation_version of batch 3 is v0, of this release {RELEASE.validation_version}",
    )


def test_a_clock_that_is_behind_another_machines_gives_no_negative_lag() -> None:
    assert judged(progress(beat_at=NOW + SECOND, caught_up_at=NOW + SECOND)).behind_seconds == 0.0


def test_r22_every_reason_has_its_own_name() -> None:
    """Those of a partition; those of a customer (drift, losses, unreadable cells) are named in the tests of answers."""
    other = Release("l0", "v0")
    named = {
        ReasonName.LOGIC_VERSION: judged(cut=0, release=Release("l0", VALIDATION)),
        ReasonName.VALIDATION_VERSION: judged(progress(validation_version="v0")),
        ReasonName.NEVER_RAN: judged(silent=True),
        ReasonName.DELTAS_GONE: judged(progress(from_offset=9), cut=8),
        ReasonName.NO_HEARTBEAT: judged(progress(beat_at=None)),
        ReasonName.SILENT: judged(progress(beat_at=NOW - 6 * SECOND)),
        ReasonName.BEHIND_RECORDS: judged(progress(90, end_offset=101)),
        ReasonName.BEHIND_SECONDS: judged(progress(90, end_offset=91, caught_up_at=NOW - 6 * SECOND)),
        ReasonName.NOT_CAUGHT_UP: judged(progress(90, end_offset=91, caught_up_at=None)),
    }
    of_a_customer = {ReasonName.ACCEPTED_DRIFT, ReasonName.LOST_RECORDS, ReasonName.UNREADABLE_CELL}

    assert {name: names(found.reasons) for name, found in named.items()} == {name: [name] for name in named}
    assert set(ReasonName) == {*named, *of_a_customer}
    assert names(judged(cut=0, release=other).reasons) == [ReasonName.LOGIC_VERSION, ReasonName.VALIDATION_VERSION]
