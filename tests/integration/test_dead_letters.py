"""Dead letters on real servers: kept once with reason and bytes, replayed once in effect, given up, refused (R14)."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from cassandra.cluster import Session
from click.testing import CliRunner

from common.errors import Lambda360Error, RejectedRecord, UsageError, shorten
from common.log.dead_letters import HEADER, Letter, LetterState
from common.log.events import parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.position import Position
from common.servers.cassandra import connected
from common.servers.producer import producer as new_producer
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.dead_letters.selection import Filter
from infra.operate.dead_letters.table import OperatorTable
from infra.proof.log_reader import LogReader
from infra.proof.oracle import RawRecord
from tests.support.builders import Message, erasure, order
from tests.support.harness import running
from tests.support.poison import POISONS
from tests.support.speed_system import cells, forget_progress, wait_applied
from tests.support.systems import patient

PARTITIONS = 4
TIMEOUT = 60.0
Headers = list[tuple[str, str | bytes | None]]


@pytest.fixture
def session(system: Settings) -> Iterator[Session]:
    with connected(patient(system)) as session:
        yield session


class Said:
    """What a command came to: its exit code, and its lines."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        result = CliRunner().invoke(lambda360, ["dead-letters", *arguments], obj=settings, standalone_mode=False)
        self.error = result.exception
        if self.error is not None and not isinstance(self.error, Lambda360Error):
            raise self.error
        self.code, self.text, self.raw = result.return_value, result.output, result.stdout_bytes

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.text.splitlines()]


def produce(settings: Settings, messages: Iterable[Message], headers: Headers | None = None) -> None:
    producer = new_producer(settings)
    for message in messages:
        partition = -1 if message.partition is None else message.partition
        producer.produce(settings.log.topic, message.value, message.key, partition, headers=headers or [])
    assert producer.flush(TIMEOUT) == 0


def letters(session: Session) -> dict[str, Letter]:
    """All rows by id, with their bytes."""
    return {
        str(letter.address.position): letter for letter in OperatorTable(session).letters(Filter(), with_values=True)
    }


def rejected(settings: Settings) -> dict[str, tuple[RawRecord, RejectedRecord]]:
    """Every record of the log that validation rejects, by position."""
    found = {}
    for record in LogReader(settings, PARTITIONS).refresh():
        try:
            parse(record.key, record.value, record.partition, PARTITIONS, record.appended_at, Rules("USD"))
        except RejectedRecord as error:
            found[str(Position(record.partition, record.offset))] = record, error
    return found


def misplaced(message: Message) -> Message:
    """The message where another partitioner puts it."""
    own = partition_of((message.key or b"").decode(), PARTITIONS)
    return message._replace(partition=(own + 1) % PARTITIONS)


def test_every_poison_is_kept_once_with_its_reason_and_bytes_and_met_again_changes_nothing(
    system: Settings, session: Session
) -> None:
    """R3, R11, R14."""
    valid = [order(f"c{number}") for number in range(len(POISONS))]
    spoiled = [Message(*poison.spoil(*order(f"p{i}")[:2], PARTITIONS)) for i, poison in enumerate(POISONS)]
    large = Message(b"large", b" " * (3 * 2**20))  # its batch is compressed to less than the log's limit
    produce(system, [*valid, *spoiled])
    producer = new_producer(system, **{"message.max.bytes": 4 * 2**20})
    producer.produce(system.log.topic, large.value, large.key)
    assert producer.flush(TIMEOUT) == 0
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
    expected, kept = rejected(system), letters(session)
    assert len(kept) == len(POISONS) + 1
    assert kept.keys() == expected.keys()
    for position, (record, error) in expected.items():
        letter = kept[position]
        assert (letter.attempts, letter.state, letter.appended_at) == (1, LetterState.OPEN, record.appended_at)
        assert (letter.last.field, letter.last.value, letter.last.rule) == (
            error.field,
            shorten(error.value, 200),
            error.rule,
        )
        if record.key != b"large":
            assert (letter.key, letter.value, letter.is_whole) == (record.key, record.value, True)
            continue
        assert (letter.is_whole, letter.value, letter.value_bytes) == (False, b" " * 4096, 3 * 2**20)
        shown = Said(system, "show", position, "--raw")
        assert "only a prefix of the value is kept" in str(shown.error)

    forget_progress(session)
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
    assert letters(session) == kept
    listed = Said(system, "list", "--json", "--limit", "0").lines
    assert {line["id"]: line["rule"] for line in listed} == {
        position: error.rule for position, (_, error) in expected.items()
    }


def test_a_misplaced_record_is_answered_after_its_replay_and_a_second_replay_is_refused(
    system: Settings, session: Session
) -> None:
    """R4, R14: same key, same bytes, in the customer's own partition; what the rules still reject stays."""
    produce(system, [misplaced(order("ada")), order("bob", total_amount="-1.00"), misplaced(erasure("bob"))])
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
        assert cells(session) == {}
        before = letters(session)
        done = Said(system, "replay", "--all")
        assert (done.error, done.code) == (None, 3)
        assert "refused " in done.text
        assert "data.total_amount: '-1.00': " in done.text
        assert "replay it by --id" in done.text
        assert "1 appended and acknowledged, 2 refused" in done.text
        wait_applied(system, worker)
        answered = cells(session)
        assert {key[:2] for key in answered} == {("facts", "ada"), ("deltas", "ada")}
        (replayed,) = [letter for letter in letters(session).values() if letter.state is LetterState.REPLAYED]
        assert replayed.key == b"ada"
        (again,) = replayed.replays
        twice = Said(system, "replay", "--id", str(replayed.address.position))
        assert (twice.code, f"in the log again at {again}" in twice.text) == (3, True)
        wait_applied(system, worker)
        assert cells(session) == answered
    after = letters(session)
    assert after.keys() == before.keys()
    assert after[str(replayed.address.position)] == replayed
    log = LogReader(system, PARTITIONS).refresh()
    appended = {Position(each.partition, each.offset): each.appended_at for each in log if each.key == b"ada"}
    del appended[replayed.address.position]
    assert after[str(replayed.address.position)].replays == appended
    assert {(record.partition, record.value) for record in log if record.key == b"ada"} == {
        (partition_of("ada", PARTITIONS), replayed.value),
        (replayed.address.position.partition, replayed.value),
    }


def test_a_replay_that_is_rejected_again_counts_in_its_own_letter_and_a_forged_header_does_not(
    system: Settings, session: Session
) -> None:
    """R14: every poison record is in dead letters once; anybody can write a header."""
    poison, other = order("ada", total_amount="-1.00"), order("ada", total_amount="-2.00")
    produce(system, [poison])
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
        (first,) = letters(session).values()
        header = str(first.address).encode()
        produce(system, [poison], [("traceparent", b"\xff"), (HEADER, header)])
        wait_applied(system, worker)
        (again,) = letters(session).values()
        assert (again.address, again.attempts, again.state) == (first.address, 2, LetterState.REJECTED_AGAIN)
        forged = [b"\xff", b"", b"2024-13-01/0:0", b"2024-01-01/99999999999:0", b"2024-01-01/0:0"]
        for content in forged:
            produce(system, [poison], [(HEADER, content)])
        produce(system, [other], [(HEADER, header)])
        produce(system, [poison], [(HEADER, header), (HEADER, header)])
        produce(system, [order("ada")], [(HEADER, header)])  # validation reads no header
        wait_applied(system, worker)
    assert len(letters(session)) == 1 + len(forged) + 2
    assert letters(session)[str(first.address.position)] == again
    assert len(cells(session)) == 2


def test_a_letter_is_given_up_and_an_erased_customers_letter_is_not_brought_back(
    system: Settings, session: Session
) -> None:
    """R24: data from before the erasure stays away, even while the erasure is not applied yet."""
    before = [misplaced(order("eve")), order("dan", total_amount="-1.00")]
    with running(system, "speed", "run") as worker:
        produce(system, before)
        wait_applied(system, worker)
    produce(system, [erasure("eve")])
    refused = Said(system, "replay", "--all", "--timeout", "0")
    assert "nothing was appended: an erasure that is not applied yet could not be seen" in str(refused.error)
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
    done = Said(system, "replay", "--all", "--reason-field", "partition")
    assert (done.code, "the customer was erased afterwards" in done.text) == (3, True)
    (dan,) = Said(system, "list", "--json", "--reason-field", "data.total_amount").lines
    assert Said(system, "discard", "--id", dan["id"], "--reason", "a test of the till").code == 0
    assert [line["field"] for line in Said(system, "list", "--json").lines] == ["partition"]
    assert "a test of the till" in Said(system, "show", dan["id"]).text
    assert Said(system, "show", dan["id"], "--raw").raw == before[1].value


def test_what_is_unknown_or_away_is_one_clear_error(system: Settings) -> None:
    """Nothing is a traceback."""
    assert "No dead letters" in Said(system, "list").text
    assert Said(system, "replay", "--all").code == 0
    for arguments in (("show", "7:7"), ("replay", "--id", "7:7"), ("discard", "--id", "7:7", "--reason", "x")):
        error = Said(system, *arguments).error
        assert isinstance(error, UsageError)
        assert "no such dead letter" in str(error)
    nowhere = {"bootstrap_servers": "127.0.0.1:1"}
    without_kafka = system.model_copy(update={"log": system.log.model_copy(update=nowhere)})
    assert "Kafka at 127.0.0.1:1 does not answer" in str(Said(without_kafka, "replay", "--all").error)
    without_cassandra = system.model_copy(update={"cassandra": system.cassandra.model_copy(update={"port": 1})})
    assert "Cassandra at 127.0.0.1:1 does not answer" in str(Said(without_cassandra, "list").error)
