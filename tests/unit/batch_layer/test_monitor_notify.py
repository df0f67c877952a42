"""The step that tells people: of what a published run broke, and of what stopped one; it hides and delays nothing."""

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import structlog

from batch_layer import run as story
from batch_layer.gate_report import GateReport, Window
from batch_layer.job import Job
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.monitor.events import of_stop
from batch_layer.monitor.notify import notify, stops_told
from batch_layer.record import Record
from batch_layer.reports import AuditReport, Finding
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.errors import BatchError, DriftFound, GateClosed, LogUnavailable, StoreUnavailable, UsageError
from common.settings import Settings
from tests.support.outbox import MemoryOutbox
from tests.support.webhook import START, Clock, Receiver, notifying

pytestmark = pytest.mark.usefixtures("without_pauses")

HOUR = 3_600_000_000
PLAN = Plan(7, Cut.of({0: 5}), "logic", "validation")
LOW = GateReport(records=10, window=Window(0, HOUR), score=50.0, findings=())


@dataclass
class HasManifest:
    manifest: Manifest


@dataclass
class Night:
    """A job without servers: manifests, pointer and outbox are in memory."""

    job: Job
    outbox: MemoryOutbox
    clock: Clock
    manifests: dict[int, Manifest] = field(default_factory=dict)
    pointer: Pointer = field(default_factory=Pointer)
    tagged: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def open(self, batch_id: int = 12, step: Step = Step.PUBLISH, **more: object) -> Manifest:
        """A run that is under way."""
        return Manifest(
            batch_id=batch_id,
            slot="a",
            plan=PLAN,
            status=Status.RUNNING,
            step=step,
            started_at=START,
            gate=LOW,
            **cast(Any, more),
        )

    def done(self, batch_id: int = 12) -> Published:
        return Published(batch_id, "a", PLAN, START + HOUR, 3, "checksum")

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.outbox.rows.values()]


@pytest.fixture
def night(receiver: Receiver, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    settings = notifying(Settings(home=tmp_path), receiver.url)
    nobody = cast(Any, None)
    told: list[str] = []
    job = Job(settings, nobody, nobody, clock=clock, report=lambda step, figures, _: told.append(f"{step}: {figures}"))
    made = Night(job, MemoryOutbox(clock), clock, told=told)

    def write(session: Any, manifest: Manifest) -> None:
        made.manifests[manifest.batch_id] = manifest

    newest_first = lambda session: sorted(made.manifests.values(), key=lambda run: -run.batch_id)  # noqa: E731
    monkeypatch.setattr("batch_layer.manifest.manifests", newest_first)
    monkeypatch.setattr("batch_layer.manifest.write", write)
    monkeypatch.setattr("batch_layer.view.publish.read", lambda session: made.pointer)
    monkeypatch.setattr("batch_layer.master.table.tag", lambda job, snapshot, batch_id: made.tagged.append(batch_id))
    monkeypatch.setattr("batch_layer.monitor.notify._outbox", lambda job: made.outbox)
    return made


def test_what_a_published_run_broke_is_logged_kept_and_sent_with_all_that_a_reader_needs(
    night: Night, receiver: Receiver
) -> None:
    with structlog.testing.capture_logs() as logged:
        notify(night.job, night.open(), night.done())

    data = {
        "rule": "quality_score",
        "severity": "warn",
        "title": "batch 12: the data's quality is low",
        "message": "the quality score is 50 of 100; allowed is at least 95",
        "pipeline": "lambda360",
        "execution_date": "2027-01-15",
        "batch_id": 12,
    }
    assert receiver.effects == {
        "lambda360:12:quality_score": {
            "specversion": "1.0",
            "id": "lambda360:12:quality_score",
            "source": "lambda360/batch",
            "type": "batch.run_event",
            "subject": "lambda360",
            "time": "2027-01-15T09:00:00+00:00",
            "datacontenttype": "application/json",
            "data": data,
        }
    }
    (line,) = logged
    assert line == {
        **{name: str(value) for name, value in data.items()},
        "id": "lambda360:12:quality_score",
        "event": "run_event",
        "log_level": "warning",
    }
    assert night.told == ["notify: quality_score; webhook: 1 sent"]


def test_a_repeated_step_repeats_ids_and_bodies_and_sends_nothing_twice(night: Night, receiver: Receiver) -> None:
    notify(night.job, night.open(), night.done())
    before = dict(night.outbox.rows)
    night.clock.passes(7200)
    notify(night.job, night.open().taken_up("another"), night.done())

    assert night.outbox.rows == before
    assert receiver.requests == ["lambda360:12:quality_score"]


def test_without_a_webhook_the_log_alone_has_it(night: Night) -> None:
    night.job.settings = Settings(home=night.job.settings.home)

    with structlog.testing.capture_logs() as logged:
        notify(night.job, night.open(), night.done())

    assert [line["rule"] for line in logged] == ["quality_score"]
    assert night.outbox.rows == {}
    assert night.told == ["notify: quality_score; webhook: none"]


def test_a_run_with_nothing_unusual_says_so(night: Night, receiver: Receiver) -> None:
    notify(night.job, msgspec.structs.replace(night.open(), gate=None), night.done())

    assert night.told == ["notify: nothing unusual; webhook: 0 sent"]
    assert receiver.requests == []


def test_a_webhook_that_is_away_fails_no_run_and_the_next_run_sends_first_what_is_left(
    night: Night, receiver: Receiver
) -> None:
    receiver.down()
    notify(night.job, night.open(), night.done())
    assert night.outbox.left() == ["lambda360:12:quality_score"]
    assert "the rest is kept: the webhook at http://127.0.0.1" in night.told[0]

    receiver.up()
    night.clock.passes(86_400)
    late = Published(13, "b", PLAN, START + 25 * HOUR, 3, "checksum")
    notify(night.job, night.open(13), late)

    assert receiver.order == ["lambda360:12:quality_score", "lambda360:13:quality_score"]
    assert night.outbox.left() == []


def test_a_webhook_that_hangs_delays_a_run_by_the_setting_at_most(night: Night, receiver: Receiver) -> None:
    receiver.delay = threading.Event()
    night.job.settings = notifying(night.job.settings, receiver.url, run_seconds=0.3)
    started = time.monotonic()

    notify(night.job, night.open(), night.done())
    seconds = time.monotonic() - started
    receiver.delay.set()

    assert 0.3 <= seconds < 5
    assert "0.3 s are over" in night.told[0]


def test_the_story_tells_before_it_finishes_and_a_run_killed_there_is_finished_by_the_next(
    night: Night, receiver: Receiver
) -> None:
    """R19: the manifest names the open step; the next run finishes it, though nothing is new, and repeats the ids."""

    class Lease:
        owner = "next"

        def check(self) -> None: ...

    def die(name: str, id_: str) -> None:
        raise KeyboardInterrupt

    night.pointer = Pointer(12, 12, (night.done(),))
    record = Record(night.job, cast(Any, Lease()), night.open())
    night.outbox.on_write = die
    with pytest.raises(KeyboardInterrupt):
        story._finish(record, night.done())
    left = night.manifests[12]
    assert (left.step, left.status, night.tagged) == (Step.NOTIFY, Status.RUNNING, [])

    night.outbox.on_write = lambda name, id_: None
    story._finish_what_is_published(night.job, cast(Any, Lease()))

    after = night.manifests[12]
    assert (after.step, after.status, after.attempt, night.tagged) == (Step.FINISH, Status.PUBLISHED, 2, [12])
    assert receiver.requests == ["lambda360:12:quality_score"]
    story._finish_what_is_published(night.job, cast(Any, Lease()))
    assert receiver.requests == ["lambda360:12:quality_score"]


def test_a_stopped_run_is_told_as_an_error_and_ends_with_its_own(night: Night, receiver: Receiver) -> None:
    closed = GateClosed("the quality gate stopped batch 12: nothing was computed. Broken:\n  volume: far", ["ada"])

    def stopped() -> None:
        with stops_told(night.job) as run:
            run.record = HasManifest(night.open(step=Step.GATE))
            raise closed

    with structlog.testing.capture_logs() as logged, pytest.raises(GateClosed) as caught:
        stopped()

    assert caught.value is closed
    ((id_, told),) = receiver.effects.items()
    assert id_.startswith("lambda360:12:stopped:")
    assert "." not in id_
    assert told["data"]["severity"] == "error"
    assert told["data"]["title"] == "batch 12 was stopped in step gate"
    assert told["data"]["message"].startswith("GateClosed: the quality gate stopped batch 12")
    assert "ada" not in json.dumps(told)
    assert logged[0]["log_level"] == "error"


def test_drift_is_told_by_its_figures_since_its_text_names_customers(night: Night) -> None:
    """R24: a notification leaves the system, so no erasure would reach a name in it."""
    report = AuditReport(
        generation=1,
        rows=5,
        checksum="c",
        is_complete=True,
        compared=5,
        skipped=0,
        facts=9,
        fact_customers=2,
        findings=(Finding("missing delta", 1, ("ada",), "of 'ada', …"),),
    )

    event = of_stop(DriftFound("'ada' differs"), night.open(step=Step.AUDIT, audit=report), "lambda360", START)

    assert event.message == (
        "DriftFound; the audit found: 5 rows read back, 5 customers and 9 facts compared, missing delta: 1. `lambda360 "
        "batch show 12` has the whole text, which may name customers"
    )
    for unknown in (BatchError("of 'ada'"), ValueError("ada")):
        assert "ada" not in of_stop(unknown, night.open(), "lambda360", START).message


def test_equal_stops_have_equal_ids_and_others_others(night: Night) -> None:
    def id_of(text: str, run: Manifest | None) -> str:
        return of_stop(LogUnavailable(text), run, "lambda360", START).id

    gate, audit = night.open(step=Step.GATE), night.open(step=Step.AUDIT)
    assert id_of("away", gate) == id_of("away", gate.taken_up("another"))
    assert len({id_of("away", gate), id_of("gone", gate), id_of("away", audit), id_of("away", None)}) == 4


def test_a_run_that_fails_before_it_has_an_id_is_told_by_its_day(night: Night, receiver: Receiver) -> None:
    with pytest.raises(LogUnavailable), stops_told(night.job):
        raise LogUnavailable("Kafka does not answer")

    (told,) = receiver.effects.values()
    assert told["id"].startswith("lambda360:2027-01-15:stopped:")
    assert told["data"]["title"] == "a batch run was stopped in its planning"
    assert told["data"]["batch_id"] is None


def test_an_operators_own_mistake_is_told_to_nobody(night: Night, receiver: Receiver) -> None:
    with pytest.raises(UsageError), stops_told(night.job):
        raise UsageError("--resume", 7, "a run")

    assert receiver.requests == []


def test_a_rules_file_that_a_night_cannot_use_is_told(night: Night, receiver: Receiver) -> None:
    """Nobody sits before a scheduler's terminal."""

    def stopped() -> None:
        with stops_told(night.job) as run:
            run.record = HasManifest(night.open(step=Step.GATE))
            raise UsageError("rules.yaml", "x", "a rule")

    with pytest.raises(UsageError):
        stopped()

    (told,) = receiver.effects.values()
    assert told["data"]["message"].startswith("UsageError. `lambda360 batch show 12` has the whole text")


def test_a_stop_is_sent_though_it_cannot_be_kept(night: Night, receiver: Receiver) -> None:
    """What stopped the run may be the very store that would keep it."""

    def away(name: str, id_: str) -> None:
        raise StoreUnavailable("away")

    night.outbox.on_write = away
    with pytest.raises(StoreUnavailable, match="of the run"), stops_told(night.job):
        raise StoreUnavailable("of the run")

    assert len(receiver.order) == 1


def test_telling_of_a_stop_never_hides_why_it_stopped(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr("batch_layer.monitor.notify.of_stop", broken)
    with structlog.testing.capture_logs() as logged, pytest.raises(GateClosed, match="closed"), stops_told(night.job):
        raise GateClosed("closed")

    assert [line["event"] for line in logged] == ["not_told"]


def test_a_kill_is_told_to_nobody(night: Night, receiver: Receiver) -> None:
    with pytest.raises(KeyboardInterrupt), stops_told(night.job):
        raise KeyboardInterrupt

    assert receiver.requests == []


def test_a_run_with_nothing_new_sends_what_earlier_ones_could_not(night: Night, receiver: Receiver) -> None:
    receiver.down()
    notify(night.job, night.open(), night.done())
    receiver.up()

    with stops_told(night.job):
        pass

    assert receiver.order == ["lambda360:12:quality_score"]
