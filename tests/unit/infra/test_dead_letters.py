"""Dead letters before any server (R14): the row and its states, the header, the bounds, what a worker writes."""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import RejectedRecord, StoreUnavailable
from common.log.dead_letters import (
    HEADER,
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    PREFIX_BYTES,
    Address,
    Discarded,
    Letter,
    LetterState,
    Rejection,
    address_in,
    kept,
)
from common.log.position import Position
from common.servers.breaker import Breaker
from common.servers.retry import Retry
from common.settings import Settings
from speed_layer.apply.dead_letter import DeadLetter
from speed_layer.publish.dead_letters import (
    BATCH,
    BATCH_BYTES,
    GROUP,
    GROUP_BYTES,
    DeadLetters,
    Entry,
    encode,
    groups,
    message,
    mutations,
)
from speed_layer.publish.publisher import MAX_BYTES, Outgoing
from speed_layer.store.letters import LetterTable

AT = 1_719_800_000_123_000
DAY = date(2024, 7, 1)


def rejected(
    offset: int = 7, key: bytes | None = b"ada", value: bytes | None = b"\xff", header: bytes | None = None
) -> DeadLetter:
    headers = () if header is None else ((HEADER, header),)
    return DeadLetter(
        "log", Position(2, offset), key, value, AT, RejectedRecord("data.amount", "-1", "0 or more"), headers
    )


def letter(
    rejections: Sequence[str] = ("2:7",), replays: Sequence[str] = (), discarded: Discarded | None = None
) -> Letter:
    said = {Position.parse(at): Rejection(AT + n, "key", "None", "a key") for n, at in enumerate(rejections)}
    address = Address(DAY, Position(2, 7))
    return Letter(address, AT, b"k", b"v", 1, 1, said, dict.fromkeys(map(Position.parse, replays), AT), discarded)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (letter(), LetterState.OPEN),
        (letter(replays=["3:1"]), LetterState.REPLAYED),
        (letter(["2:7", "3:1"], ["3:1"]), LetterState.REJECTED_AGAIN),
        (letter(["2:7", "3:1"]), LetterState.REJECTED_AGAIN),  # the mark of its replay was lost
        (letter(["2:7", "3:1"], ["3:1", "3:2"]), LetterState.REPLAYED),
        (letter(discarded=Discarded(AT, "no")), LetterState.DISCARDED),
        (letter(replays=["3:1"], discarded=Discarded(AT, "no")), LetterState.REPLAYED),
        (letter(["2:7", "3:1"], ["3:1"], Discarded(AT, "no")), LetterState.DISCARDED),
    ],
)
def test_a_letters_state_follows_from_its_rejections_and_replays(row: Letter, state: LetterState) -> None:
    assert row.state is state
    assert row.attempts == len(row.rejections)
    assert state.is_open == (state in (LetterState.OPEN, LetterState.REJECTED_AGAIN))


def test_the_last_rejection_is_the_one_appended_last() -> None:
    assert letter(["9:9", "10:1"]).last.appended_at == AT + 1


def test_a_letters_address_travels_in_a_header_and_its_day_is_the_append_times() -> None:
    """R11: no clock's."""
    address = Address.of(Position(2, 7), AT)
    assert (str(address), str(address.position), address.day) == ("2024-07-01/2:7", "2:7", DAY)
    assert address_in([("x", b"y"), (HEADER, str(address).encode())]) == address


@pytest.mark.parametrize(
    "content",
    [
        *(
            None,
            b"",
            b"2:7",
            b"2024-07-01/2:7 ",
            b"2024-02-30/2:7",
            b"2024-07-01/02:7",
            b"20240701/2:7",
            b"2024-07-01/-2:7",
            b"\xff",
        ),
        *(b"2024-07-01/9999999999:7", b"2024-07-01/2:9999999999999999999", "2024-07-01/٢:7".encode(), b"x" * 10**7),
    ],
)
def test_a_malformed_header_names_no_letter(content: bytes | None) -> None:
    assert address_in([(HEADER, content)]) is None


def test_no_header_and_several_name_no_letter() -> None:
    assert address_in([]) is None
    assert address_in([(HEADER, b"2024-07-01/2:7"), (HEADER, b"2024-07-01/2:7")]) is None


def test_a_row_keeps_what_fits_and_a_prefix_of_the_rest() -> None:
    assert (kept(None, 5), kept(b"", 5), kept(b"12345", 5)) == (None, b"", b"12345")
    assert kept(b"x" * 1_000_000, 5) == b"x" * PREFIX_BYTES


def test_a_rule_that_quotes_a_record_is_bounded() -> None:
    assert len(Rejection.of(RejectedRecord("value", "v" * 9999, "r" * 9999), AT).rule) == 1001
    assert len(Rejection.of(RejectedRecord("value", "v" * 9999, "r"), AT).value) < 250


def test_a_message_carries_position_reason_and_bytes_and_is_always_the_same() -> None:
    row = rejected().address
    body = json.loads(encode(rejected(), row))
    assert (body["id"], body["letter"], body["topic"], body["partition"], body["offset"]) == ("2:7", "2:7", "log", 2, 7)
    assert (body["field"], body["value"], body["rule"]) == ("data.amount", "'-1'", "0 or more")
    assert body["appended_at"] == "2024-07-01T02:13:20.123000+00:00"
    assert (base64.b64decode(body["key_base64"]), base64.b64decode(body["value_base64"])) == (b"ada", b"\xff")
    assert encode(rejected(), row) == encode(rejected(), row)


def test_what_is_missing_stays_null_in_a_message() -> None:
    body = json.loads(encode(rejected(key=None, value=None), rejected().address))
    assert (body["key_base64"], body["value_base64"], body["value_bytes"]) == (None, None, None)


@pytest.mark.parametrize(
    ("key", "value", "whole"),
    [
        (b"ada", b"x" * 2**20, True),
        (b"ada", b"x" * (3 * 2**19), False),
        (b"ada", b"x" * (9 * 2**20), False),
        (b"k" * MAX_KEY_BYTES, b"x", True),
        (b"k" * (9 * 2**20), b"x", False),
    ],
)
def test_a_message_is_one_that_kafka_takes(key: bytes, value: bytes, *, whole: bool) -> None:
    """R14: nothing blocks the records behind; the log's limit is on compressed batches, so a record may be larger."""
    out = message("errors", rejected(key=key, value=value), Address(DAY, Position(2, 7)))
    assert len(out.value) + len(out.key or b"") < MAX_BYTES
    assert (json.loads(out.value)["value_base64"] is not None) == whole
    assert (out.topic, out.partition, out.key in (key, None)) == ("errors", 2, True)


def test_groups_of_letters_are_bounded_in_number_and_bytes_and_keep_their_order() -> None:
    letters = [rejected(offset, value=b"x" * (GROUP_BYTES if offset % 100 == 0 else 1)) for offset in range(1300)]
    found = list(groups(letters))
    assert [each.position.offset for group in found for each in group] == list(range(1300))
    for group in found:
        assert len(group) <= GROUP
        assert len(group) == 1 or sum(len(each.value or b"") for each in group) <= GROUP_BYTES
    assert list(groups([])) == []


def test_a_mutation_holds_rows_of_one_partition_key_and_stays_small() -> None:
    days = (date(2024, 7, 1), date(2024, 7, 2))
    entries = [(rejected(n, value=b"x" * (n % 7) * 4000), Address(days[n % 2], Position(n % 3, n))) for n in range(200)]
    found = list(mutations(entries))
    assert sorted(row.position.offset for together in found for _, row in together) == list(range(200))
    for together in found:
        assert len({(row.day, row.position.partition) for _, row in together}) == 1
        assert len(together) <= BATCH
        assert len(together) == 1 or sum(len(letter.value or b"") for letter, _ in together) <= BATCH_BYTES


class Prepared(str):
    """A statement that remembers what is bound to it."""

    def bind(self, parameters: Sequence[Any]) -> "tuple[Prepared, Sequence[Any]]":
        return self, parameters


class FakeSession:
    """Stands in for AsyncSession: what was written, and the rows that reads find."""

    def __init__(self, *rows: tuple[bytes | None, bytes | None]) -> None:
        self.driver = SimpleNamespace(prepare=Prepared)
        self.written: list[tuple[Any, ...]] = []
        names = ("key", "value", "key_bytes", "value_bytes")
        sizes = [tuple(None if content is None else len(content) for content in row) for row in rows]
        self.rows = [
            SimpleNamespace(**dict(zip(names, (*row, *size), strict=True)))
            for row, size in zip(rows, sizes, strict=True)
        ]

    async def execute(self, statement: Any, parameters: Sequence[Any] = ()) -> list[Any]:
        if parameters:
            return self.rows
        self.written.append(tuple(statement[1]))
        return []


def keep(session: Any, record: DeadLetter) -> str:
    return asyncio.run(_keep(session, record))


async def _keep(session: Any, record: DeadLetter) -> str:
    table = LetterTable(session)
    row = await table.row_of(record)
    await table.keep([(record, row)])
    return str(row)


def test_a_row_is_written_at_its_offset_so_that_the_same_record_writes_the_same() -> None:
    """R11."""
    session = FakeSession()
    assert [keep(session, rejected()), keep(session, rejected())] == ["2024-07-01/2:7"] * 2
    first, again = session.written
    assert first == again
    assert (first[0], first[1], first[-3:]) == (7, AT, (DAY, 2, 7))


def test_a_replay_that_is_rejected_again_writes_into_the_row_of_its_header() -> None:
    """R11: at the offset of the replay."""
    session = FakeSession((b"ada", b"\xff"))
    assert keep(session, rejected(9, header=b"2024-06-30/1:400")) == "2024-06-30/1:400"
    ((at, position, _, *where),) = session.written
    assert (at, position, where) == (9, "2:9", [date(2024, 6, 30), 1, 400])


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (b"2024-06-30/1:400", []),
        (b"2024-06-30/1:400", [(b"ada", b"other")]),
        (b"2024-06-30/1:400", [(b"eve", b"\xff")]),
        (b"2024-06-30/1:400", [(None, b"\xff")]),
        (b"2024-07-01/2:9", [(b"ada", b"\xff")]),
        (b"2024-07-01/2:10", [(b"ada", b"\xff")]),
        (b"2024-07-02/1:1", [(b"ada", b"\xff")]),
    ],
)
def test_a_header_that_names_no_earlier_row_with_the_same_bytes_is_ignored(header: bytes, rows: Any) -> None:
    session = FakeSession(*rows)
    assert keep(session, rejected(9, header=header)) == "2024-07-01/2:9"


def test_a_record_whose_bytes_a_row_does_not_keep_is_nobodys_replay() -> None:
    large = b"x" * (MAX_VALUE_BYTES + 1)
    session = FakeSession((b"ada", large))
    assert keep(session, rejected(9, value=large, header=b"2024-06-30/1:400")) == "2024-07-01/2:9"
    assert max(len(each) for each in session.written[0] if isinstance(each, bytes)) == PREFIX_BYTES


class FlakyTable:
    """A table that is away at first."""

    def __init__(self, told: list[str], failures: int) -> None:
        self.told, self.failures = told, failures

    async def row_of(self, letter: DeadLetter) -> Address:
        self._fail()
        return Address(DAY, Position(1, 1))

    async def keep(self, entries: Sequence[Entry]) -> None:
        self._fail()
        self.told += [f"row {letter.position.offset}" for letter, _ in entries]

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")


class ToldPublisher:
    """Remembers what it was given."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    async def made(self, make: Callable[[], Sequence[Outgoing]]) -> Sequence[Outgoing]:
        return make()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.told += [f"message {json.loads(each.value)['letter']}" for each in messages]


def test_every_letter_is_in_the_table_before_it_is_published_however_long_that_takes() -> None:
    """R14: topics are copies of stored rows."""
    told: list[str] = []
    retry = Retry(Breaker("cassandra", 100, 1.0), 0.001, 0.001)
    publisher: Any = ToldPublisher(told)
    letters = DeadLetters(Settings(), FlakyTable(told, failures=3), retry, publisher)
    asyncio.run(letters.publish([rejected(1), rejected(2)]))
    assert sorted(told[:2]) == ["row 1", "row 2"]
    assert told[2:] == ["message 1:1", "message 1:1"]
    asyncio.run(letters.publish([]))
    assert len(told) == 4
