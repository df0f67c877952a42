"""R18: which partitions an audit covers, and why not the others; R12's rows decide."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final, cast

from batch_layer.audit.passage import ABANDONED_SECONDS, UNCERTAIN_SECONDS, awaited, judged
from batch_layer.job import Job
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.progress import Progress
from common.settings import BatchSettings, Settings

NOW: Final = 1_800_000_000_000_000
ALL: Final = frozenset({0, 1, 2})
WITHOUT_0: Final = frozenset({1, 2})
PLAN: Final = Plan(1, Cut.of({0: 10, 1: 20, 2: 0}), "logic", "v3")
AT: Final = Cut.of({0: 5, 1: 5, 2: 0})
SECOND: Final = 1_000_000


def row(partition: int, next_offset: int = 100, **others: Any) -> Progress:
    made = Progress(partition, 0, next_offset, 100, "v3", beat_at=NOW, caught_up_at=NOW)
    return replace(made, **others)


def test_a_speed_layer_beyond_the_cut_whose_deltas_live_is_audited_everywhere() -> None:
    """A partition without records below the new cut needs no worker."""
    found = judged({0: row(0, 10), 1: row(1, 20)}, PLAN, AT, NOW)

    assert (found.passed, found.audited, found.reasons) == (ALL, ALL, ())


def test_a_partition_that_is_one_record_short_is_not_passed() -> None:
    found = judged({0: row(0, 9), 1: row(1, 20)}, PLAN, AT, NOW)

    assert (found.passed, found.audited) == (WITHOUT_0, WITHOUT_0)
    assert found.reasons == ("partition 0: the speed layer is at offset 9, and the new cut at 10; let it catch up",)


def test_expired_deltas_leave_the_facts_to_be_compared() -> None:
    """Facts never expire."""
    found = judged({0: row(0, from_offset=6), 1: row(1, from_offset=5)}, PLAN, AT, NOW)

    assert (found.passed, found.audited) == (ALL, WITHOUT_0)
    assert "partition 0: deltas below offset 6 have expired" in found.reasons[0]


def test_where_the_two_cuts_are_one_no_delta_is_needed() -> None:
    assert judged({0: row(0, from_offset=9), 1: row(1)}, PLAN, Cut.of({0: 10}), NOW).audited == ALL


def test_facts_of_two_validations_are_refused_even_if_one_is_ours() -> None:
    """R12: anything but exactly the reader's."""
    found = judged({0: row(0, validation_version="v2,v3"), 1: row(1)}, PLAN, AT, NOW)

    assert found.passed == WITHOUT_0
    assert "decided by validation v2 and v3, this batch's by v3; `lambda360 speed rebuild`" in found.reasons[0]


def test_reasons_of_several_partitions_are_one() -> None:
    """Without a worker, the newcomer's case, there is one sentence."""
    assert judged({}, PLAN, AT, NOW).reasons == (
        "partitions 0, 1: the speed layer never ran; `lambda360 speed run` starts it",
    )


def test_after_a_long_silence_nobody_knows_which_deltas_live() -> None:
    """A short one is no matter: a worker counts deltas as expired an hour early."""
    long_ago = NOW - int((UNCERTAIN_SECONDS + 1) * SECOND)

    found = judged({0: row(0, beat_at=long_ago), 1: row(1, beat_at=long_ago + 2 * SECOND)}, PLAN, AT, NOW)

    assert (found.passed, found.audited) == (ALL, WITHOUT_0)


class Rows:
    """A Cassandra session that answers each read of progress with the next rows, and a clock that sleeps move."""

    def __init__(self, *answers: list[Progress]) -> None:
        self.answers, self.now, self.slept = list(answers), NOW, 0.0

    def execute(self, statement: Any, *_: object) -> Any:
        if "batch_pointer" in getattr(statement, "query_string", ""):
            return SimpleNamespace(one=lambda: None)  # no batch yet: the first generation
        rows = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (r.partition, r.from_offset, r.next_offset, r.end_offset, r.validation_version, r.beat_at, r.caught_up_at)
            for r in rows
        ]

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += int(seconds * SECOND)

    def job(self, wait_seconds: float = 30.0) -> Job:
        settings = Settings(batch=BatchSettings(audit_wait_seconds=wait_seconds))
        return Job(settings, cast(Any, None), cast(Any, self), clock=lambda: self.now, report=lambda *_: None)


def test_a_speed_layer_on_its_way_is_waited_for() -> None:
    rows = Rows([row(0, 3), row(1)], [row(0, 7), row(1)], [row(0, 10), row(1)])

    found = awaited(rows.job(), PLAN, AT, sleep=rows.sleep)

    assert (found.audited, found.reasons, rows.slept) == (ALL, (), 1.0)


def test_the_wait_is_bounded() -> None:
    rows = Rows([row(0, 3, beat_at=NOW + 100 * SECOND), row(1)])

    found = awaited(rows.job(5.0), PLAN, AT, sleep=rows.sleep)

    assert (found.passed, rows.slept) == (WITHOUT_0, 5.0)


def test_where_no_worker_lives_nobody_waits() -> None:
    """Never ran, or silent for more than a minute: the operator reads at once what to start."""
    dead = row(0, 3, beat_at=NOW - int((ABANDONED_SECONDS + 1) * SECOND))
    for rows in (Rows([]), Rows([dead, row(1)])):
        found = awaited(rows.job(), PLAN, AT, sleep=rows.sleep)

        assert (0 in found.passed, rows.slept) == (False, 0.0)
