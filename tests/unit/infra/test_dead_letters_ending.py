"""However a replay ends (Ctrl-C, a lost server), it says what is in the log, what is not marked, and what to do."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import click
import pytest
from cassandra import OperationTimedOut
from click.testing import CliRunner
from confluent_kafka import KafkaError

from common.errors import Lambda360Error, LogError, LogUnavailable, StoreUnavailable, UsageError
from common.log.normalizing import Rules
from common.log.position import Position
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.dead_letters import log, report, run, table
from infra.operate.dead_letters.interrupts import held
from infra.operate.dead_letters.judge import Cause, Ready, judge
from infra.operate.dead_letters.options import selection
from infra.operate.dead_letters.replay import CHUNK, Appended, Replay, Sent, Summary
from infra.operate.dead_letters.selection import Selection
from tests.support.builders import order
from tests.support.letters import AT, PARTITIONS, RULES, Servers, letter


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def fail_after_ctrl_c() -> None:
    ctrl_c()
    raise LogError("an error's word goes before")


class Interrupted(Servers):
    """Ctrl-C comes while records are sent, and as often while they are marked."""

    def __init__(self, sending: int, marking: int) -> None:
        super().__init__()
        self.sending, self.marking = sending, marking

    def append(self, ready: Sequence[Ready]) -> Sent:
        for _ in range(self.sending):
            ctrl_c()
        return super().append(ready)

    def mark_replayed(self, appended: Sequence[Appended]) -> None:
        for _ in range(self.marking):
            ctrl_c()
        super().mark_replayed(appended)


class Unmarkable(Servers):
    """Cassandra is lost after Kafka acknowledged."""

    def mark_replayed(self, appended: Sequence[Appended]) -> None:
        raise StoreUnavailable("Cassandra did not answer")


def replay(servers: Servers, count: int = 2 * CHUNK) -> Summary:
    """What a replay of that many letters says, though it ends early."""
    summary = Summary()
    letters = (letter(order(f"c{n}"), n) for n in range(count))
    one = Replay(servers, RULES, PARTITIONS, by_id=False, say=lambda refused: None, uninterrupted=held)
    with pytest.raises((KeyboardInterrupt, Lambda360Error)):
        one.run(letters, summary)
    return summary


@pytest.mark.parametrize(("sending", "marking"), [(1, 0), (0, 1)])
def test_ctrl_c_waits_until_what_was_sent_is_acknowledged_and_marked(sending: int, marking: int) -> None:
    servers = Interrupted(sending, marking)
    summary = replay(servers)
    assert (summary.appended, len(servers.marked)) == (CHUNK, CHUNK)
    assert (summary.unmarked, summary.unacknowledged) == ([], [])


def test_a_second_ctrl_c_ends_at_once_and_the_summary_names_what_is_in_doubt() -> None:
    summary = replay(Interrupted(2, 0))
    assert (summary.appended, summary.unmarked) == (0, [])
    assert [each.position.offset for each in summary.unacknowledged] == list(range(CHUNK))
    summary = replay(Interrupted(0, 2))
    assert (summary.appended, summary.unacknowledged) == (CHUNK, [])
    assert [each.position.offset for each in summary.unmarked] == list(range(CHUNK))


def test_letters_that_could_not_be_marked_are_counted_and_named() -> None:
    """R4: the next run appends them again."""
    summary = replay(Unmarkable())
    said = "\n".join(report.after_replay(summary, failed=True))
    assert summary.appended == CHUNK
    assert f"{CHUNK} appended and acknowledged" in said
    assert "64 of the appended may not be marked as replayed: 0:0, 0:1, 0:2, 0:3, 0:4 and 59 more" in said
    assert "the later one wins (R4)" in said
    assert "Not finished. Run the same command again" in said
    assert "speed wait" in said


def test_records_that_were_not_acknowledged_are_named_apart_from_those_that_were() -> None:
    summary = replay(Servers(fail_after=3), count=5)
    said = "\n".join(report.after_replay(summary, failed=True))
    assert (summary.appended, summary.unmarked) == (3, [])
    assert "2 more were sent, but not acknowledged: they may be in the log, unmarked: 0:3, 0:4" in said


def test_the_handler_of_ctrl_c_is_the_one_from_before_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), held():
        ctrl_c()
    with pytest.raises(LogError), held():
        fail_after_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_that_is_ignored_or_reaches_another_thread_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)
    entered: list[bool] = []

    def work() -> None:
        with held():
            entered.append(signal.getsignal(signal.SIGINT) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]


def test_only_a_letter_that_breaks_the_rules_is_to_be_corrected_at_its_source() -> None:
    """R24: a corrected record of an erased customer would bring its data back."""
    erased = "\n".join(report.after_replay(Summary(refused=2, causes=causes(Cause.ERASED, Cause.OTHER))))
    assert "corrected record" not in erased
    assert "1 x customer erased since (R24): do not send the record again" in erased
    broken = "\n".join(report.after_replay(Summary(refused=1, causes=causes(Cause.RULES))))
    assert "1 x broken rules: send a corrected record from the source, unless its customer was erased" in broken
    assert "do not send" not in broken


def causes(*each: Cause) -> Any:
    return Summary().causes.__class__(each)


@pytest.fixture
def replaying(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None, Summary], Any]:
    """Runs the command on a replay that does what `summary` says and ends with `error`."""

    def invoke(error: BaseException | None, done: Summary) -> Any:
        def fake(*_: Any, timeout: float, report: run.Reports) -> None:
            report.summary.appended = done.appended
            report.summary.refused = done.refused
            report.summary.unmarked = done.unmarked
            if error is not None:
                raise error

        monkeypatch.setattr("infra.operate.dead_letters.run.run", fake)
        monkeypatch.setattr("infra.commands.dead_letters._table", lambda context: nullcontext())
        arguments = ["dead-letters", "replay", "--all"]
        return CliRunner().invoke(lambda360, arguments, obj=Settings(), standalone_mode=False)

    return invoke


@pytest.mark.parametrize("error", [LogUnavailable("Kafka is away"), StoreUnavailable("away"), RuntimeError("a defect")])
def test_whatever_ends_a_replay_its_summary_is_printed(replaying: Any, error: Exception) -> None:
    unmarked = [letter(order("ada")).address]
    result = replaying(error, Summary(appended=3, refused=1, unmarked=unmarked))
    assert result.exception is error
    assert "3 appended and acknowledged, 1 refused" in result.output
    assert "1 of the appended may not be marked as replayed: 0:7" in result.output
    assert "Next: `lambda360 speed wait`" in result.output


def test_ctrl_c_ends_a_replay_with_its_summary_and_its_exit_code(replaying: Any) -> None:
    result = replaying(KeyboardInterrupt(), Summary(appended=3))
    assert (result.exception, result.return_value) == (None, 130)
    assert "3 appended" in result.output
    assert "Interrupted. Run the same command again for the rest" in result.output


def test_an_error_before_anything_was_done_is_told_without_a_summary(replaying: Any) -> None:
    assert replaying(UsageError("--id", "7:7", "no such dead letter"), Summary()).output == ""


@pytest.mark.parametrize(("refused", "code"), [(0, 0), (1, 3)])
def test_a_finished_replay_says_by_its_exit_code_whether_letters_were_refused(
    replaying: Any, refused: int, code: int
) -> None:
    assert replaying(None, Summary(appended=1, refused=refused)).return_value == code


def test_an_id_in_two_spellings_is_one_letter() -> None:
    """R4: it would be in the log twice."""
    taken: list[Selection] = []

    @click.command()
    @selection
    def command(*, chosen: Selection) -> None:
        taken.append(chosen)

    CliRunner().invoke(command, ["--id", "2:7", "--id", "02:07", "--id", "0:4", "--id", "2:7"])
    assert taken[0].ids == [Position(2, 7), Position(0, 4)]


class Producer:
    """Kafka's client: it acknowledges the first record, and loses the rest."""

    def __init__(self) -> None:
        self.delivered: list[Callable[[KafkaError | None, Any], None]] = []

    def produce(self, *_: Any, on_delivery: Callable[[KafkaError | None, Any], None], **__: Any) -> None:
        self.delivered.append(on_delivery)

    def flush(self, _: float) -> int:
        first, *rest = self.delivered
        first(None, SimpleNamespace(timestamp=lambda: (1, AT // 1000), offset=lambda: 5))
        for lost in rest:
            lost(KafkaError(KafkaError._MSG_TIMED_OUT), None)
        return 0


def test_a_record_that_kafka_did_not_acknowledge_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "producer", lambda *_, **__: Producer())
    session: Any = SimpleNamespace(prepare=lambda text: text)
    marks: Any = None
    ready = [judge(letter(order(f"c{n}"), n), Rules("USD"), PARTITIONS, by_id=True) for n in range(3)]
    sent = log.Servers(Settings(), session, marks).append([each for each in ready if isinstance(each, Ready)])
    assert [(each.letter.position.offset, each.position.offset) for each in sent.appended] == [(0, 5)]
    assert isinstance(sent.failure, LogUnavailable)
    assert "is marked as replayed, and is not appended twice: run the same command again for the rest" in str(
        sent.failure
    )


def test_every_letter_is_tried_before_one_that_could_not_be_marked_ends_the_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def execute(_: Any, __: Any, rows: Any, *, raise_on_first_error: bool, **___: Any) -> Iterator[tuple[bool, Any]]:
        assert not raise_on_first_error
        tried.extend(row[0] for row in rows)
        return iter([(True, None), (False, OperationTimedOut()), (True, None)])

    monkeypatch.setattr(table, "execute_concurrent_with_args", execute)
    session: Any = SimpleNamespace(prepare=lambda text: SimpleNamespace(text=text))
    done = [Appended(letter(order("ada"), n).address, Position(1, n), AT) for n in range(3)]
    with pytest.raises(StoreUnavailable, match="Cassandra did not answer"):
        table.OperatorTable(session).mark_replayed(done)
    assert tried == [0, 1, 2]


class Table:
    """A table in which somebody else replays the letter while this replay waits."""

    def __init__(self) -> None:
        self.session, self.reads = None, 0

    def addresses(self, ids: Sequence[Position]) -> list[Any]:
        return [letter(order("ada"), each.offset).address for each in ids]

    def letter(self, _: Any) -> Any:
        self.reads += 1
        return self.reads


def test_letters_are_read_after_the_wait_for_erasures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that was read before may be an old one."""
    found: list[Any] = []
    monkeypatch.setattr("common.servers.kafka.topic_identity", lambda *_, **__: None)
    monkeypatch.setattr("common.servers.log_identity.check", lambda *_: SimpleNamespace(partitions=PARTITIONS))
    monkeypatch.setattr(run, "_wait_for_erasures", lambda *_: found.append("waited"))
    monkeypatch.setattr(run, "Servers", lambda *_: None)
    monkeypatch.setattr(Replay, "run", lambda _, letters, __: found.extend(letters))
    wanted: Any = None
    chosen = Selection([Position(0, 7), Position(0, 8)], wanted)
    rows: Any = Table()
    told = run.Reports(Summary(), lambda refused: None, lambda done: None)
    run.run(Settings(), rows, chosen, 0.0, told)
    assert found == ["waited", 2, 3]
