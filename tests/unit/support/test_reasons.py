"""The judge of `make test-upgrade` notices what it is there for."""

import re
from typing import Any

import pytest

from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.progress import Progress
from infra.paths import ROOT
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, order
from tests.support.expected import Expected
from tests.support.reasons import Court, Seen, Tally
from tests.support.release import ReleaseMissing, Versions, checked_out

NOW = 1_720_000_000_000_000
SECOND = 1_000_000
OWN = Versions(logic="3", validation="3")
LOGIC = "logic_version of batch 7 is 2, of this release 3"
SPEED = "validation_version of the speed layer is 2;currency=USD and 3;currency=USD, of this release 3;currency=USD"
LATE = "the speed layer is silent for 75 s, more than 60 s"
WIDTH = "the customer's row of batch 7 is of 11 measures, this release has 12"


def seen(*, beat_seconds_ago: int = 1, versions: str = "3;currency=USD", logic: str = "2") -> Seen:
    """Batch 7 of that logic, and a heartbeat of the one partition."""
    row = Progress(
        0,
        from_offset=0,
        next_offset=1,
        end_offset=1,
        validation_version=versions,
        beat_at=NOW - beat_seconds_ago * SECOND,
        caught_up_at=NOW - beat_seconds_ago * SECOND,
    )
    return Seen(NOW, {7: Plan(1, Cut.zero(), logic, "3;currency=USD")}, {0: row})


def tally(*reasons: str, revenue: str = "10.00", moment: Seen | None = None) -> Tally:
    """The verdict on one answer to a log of one order of 10.00."""
    oracle = Oracle(Log(partitions=1).append(order("ada")), 1)
    metrics = oracle.answer("ada", AS_OF)
    assert metrics is not None
    entry: dict[str, Any] = {
        "customer_id": "ada",
        "status": "ok",
        "metrics": metrics | {"total_revenue": revenue},
        "profile": None,
        "provenance": {
            "status": "degraded" if reasons else "exact",
            "reasons": list(reasons),
            "batch": None,
            "speed": {"deltas": 1},
            "log": {"partition": 0, "next_offset": 1},
        },
    }
    return Court(Expected(oracle), OWN, 60.0, (moment or seen(),)).tally([entry])


def test_an_exact_answer_is_right_only_if_it_is_the_oracles() -> None:
    assert tally().right
    assert tally(revenue="10.01").wrong == 1


@pytest.mark.parametrize(
    ("reason", "moment"),
    [
        (LOGIC, seen()),
        (WIDTH, seen()),
        (SPEED, seen(versions="2;currency=USD,3;currency=USD")),
        (LATE, seen(beat_seconds_ago=75)),
    ],
)
def test_a_reason_that_the_tables_bear_out_is_a_degraded_answer(reason: str, moment: Seen) -> None:
    found = tally(reason, moment=moment)

    assert (found.wrong, found.degraded) == (0, 1)


@pytest.mark.parametrize(
    ("reason", "moment"),
    [
        (LOGIC, seen(logic="3")),
        (LOGIC.replace("release 3", "release 4"), seen()),
        (LOGIC.replace("batch 7", "batch 8"), seen()),
        (WIDTH, seen(logic="3")),
        (SPEED, seen()),
        (LATE, seen()),
        ("the speed layer never ran in partition 0", seen()),
        ("the delta at offset 3 cannot be read: …", seen()),
        ("a reason that nobody knows", seen()),
    ],
)
def test_a_reason_that_does_not_hold_is_a_wrong_answer(reason: str, moment: Seen) -> None:
    assert tally(reason, moment=moment).wrong == 1


def test_values_may_differ_for_a_reason_of_versions_only() -> None:
    """A late answer is right at the offset that it names."""
    assert tally(LOGIC, revenue="10.01").wrong == 0
    assert tally(LATE, revenue="10.01", moment=seen(beat_seconds_ago=75)).wrong == 1


def test_a_clone_without_the_commit_is_told_what_to_fetch() -> None:
    with pytest.raises(ReleaseMissing, match=r"git fetch --unshallow"), checked_out("0" * 40, "before"):
        pass


def test_the_release_before_is_named_by_its_full_hash() -> None:
    text = (ROOT / "tests" / "upgrade" / "before.txt").read_text(encoding="ascii")

    assert re.fullmatch(r"[0-9a-f]{40}\n", text)
