"""What must hold: every answer is the oracle's at the offset that it names, or degraded for a reason that is true."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from common.algebra.pointer import decode
from common.log.partition import partition_of
from common.tables import Tables
from infra.proof.oracle import Answer as Expected
from infra.proof.oracle import Oracle
from serving_layer.answer.answers import Answer, Answers
from serving_layer.read.cassandra_store import CassandraViewStore
from tests.simulation.cql import Put
from tests.simulation.network import Glance
from tests.simulation.process import SETTINGS, TTL_SECONDS, at_once
from tests.simulation.replicas import Cells, merged
from tests.simulation.scenery import PARTITIONS
from tests.support.builders import AS_OF

if TYPE_CHECKING:
    from tests.simulation.world import World

LATE: Final = SETTINGS.serving
REASONS: Final = {
    "never ran": re.compile(r"the speed layer never ran in partition \d+"),
    "deltas expired": re.compile(r"cut (\d+) is below from_offset (\d+): .*"),
    "silent": re.compile(r"the speed layer (is silent for .*|has never sent a heartbeat)"),
    "records behind": re.compile(r"the speed layer is \d+ records behind, .*"),
    "not caught up yet": re.compile(r"the speed layer has not caught up with the log yet"),
    "seconds behind": re.compile(r"the speed layer is \d+ s behind, .*"),
}
PAIRS: Final = ((0, 1), (0, 2), (1, 2))
RELOOK: Final = 0.1
EXCUSES: Final = {"never ran", "deltas expired", "silent"}
"""Reasons for which deltas may be gone."""


class Wrong(Exception):
    """Something that must hold does not."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A partition's progress row as far as it was acknowledged: whoever reads after that sees it, or more."""

    next_offset: int
    beat_at: int
    caught_up_at: int


Since = Mapping[int, Acknowledged]


@dataclass
class Judge:
    """Asks serving's own code, and compares."""

    world: "World"
    oracle: Oracle = field(default_factory=lambda: Oracle([], PARTITIONS))
    answers: int = 0
    degraded: Counter[str] = field(default_factory=Counter)
    _acknowledged: dict[int, Acknowledged] = field(default_factory=dict)
    pair: tuple[int, int] = (0, 1)
    _slots: dict[str | None, str] = field(default_factory=dict)
    _seen: set[object] = field(default_factory=set)
    _rows: dict[int, dict[Acknowledged, None]] = field(default_factory=dict)
    _expected: dict[tuple[str, int], Expected | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        session: Any = Glance(self.world, None, named=False)
        store = CassandraViewStore(session, SETTINGS, at_once)
        self._answers = Answers(lambda: store, SETTINGS, lambda: self.world.loop.now)

    def reached(self, row: Put) -> None:
        """A progress row is on a replica: some readers see it, and not what is acknowledged below it."""
        partition, new = _row(row)
        self._rows.setdefault(partition, {})[new] = None

    def progressed(self, row: Put) -> None:
        """A progress row was acknowledged."""
        partition, new = _row(row)
        old = self._acknowledged.get(partition)
        if old is not None and old.next_offset == new.next_offset:
            beat, caught = max(old.beat_at, new.beat_at), max(old.caught_up_at, new.caught_up_at)
            new = Acknowledged(old.next_offset, beat, caught)
        if old is None or new.next_offset >= old.next_offset:
            self._acknowledged[partition] = new

    def now(self) -> Since:
        """What is acknowledged now."""
        return dict(self._acknowledged)

    def look(self, customers: Sequence[str]) -> None:
        """Ask for these customers, at this very moment, two replicas. Raises Wrong.

        What was asked of the very same rows before is not asked again, but for a sample: heartbeats and the clock alone
        make an answer late, not another.
        """
        self.pair = self.world.eyes.choice(PAIRS)
        news = [customer for customer in customers if self._is_news(customer)]
        if not news:
            if self.world.eyes.random() < RELOOK:
                news = [self.world.eyes.choice(customers)]
            else:
                return
        found: list[list[Answer]] = []

        async def ask() -> None:
            found.append(await self._answers.of(news, AS_OF))

        task = self.world.loop.create_task(ask())
        self.world.loop.drain()
        task.result()
        self.check(found[0], self._acknowledged)

    def _is_news(self, customer: str) -> bool:
        """Whether the rows that its answer is made of, apart from heartbeats, are new."""
        pointer, partition = self.world.pointer, partition_of(customer, PARTITIONS)
        tables = Tables(decode(pointer).generation)
        progress = self._cells("speed_progress", tables.generation)
        content = (
            customer,
            pointer,
            frozenset(self._cells(tables.deltas, customer).items()),
            frozenset(self._cells(self._slot(pointer), customer).items()),
            progress.get(((partition,), "next_offset")),
            progress.get(((partition,), "from_offset")),
        )
        if content in self._seen:
            return False
        self._seen.add(content)
        return True

    def _cells(self, table: str, key: object) -> Cells:
        one, other = (self.world.replicas[name].held(table, key) for name in self.pair)
        return merged(one, other).cells

    def _slot(self, pointer: str | None) -> str:
        if pointer not in self._slots:
            published = decode(pointer).published
            self._slots[pointer] = f"batch_view_{published.slot}" if published else ""
        return self._slots[pointer]

    def check(self, answers: Sequence[Answer], since: Since) -> None:
        """Every answer, whose reading began at `since`, is right. Raises Wrong."""
        self.answers += len(answers)
        for answer in answers:
            self._check(answer, since)

    def _check(self, answer: Answer, since: Since) -> None:
        log, customer = answer.provenance.log, answer.customer_id
        if log.partition != partition_of(customer, PARTITIONS):
            raise Wrong(f"{customer}: partition {log.partition} is another's")
        least = since[log.partition].next_offset if log.partition in since else 0
        if not least <= log.next_offset <= self.world.log.next_offsets[log.partition]:
            raise Wrong(f"{customer}: names offset {log.next_offset}, acknowledged were {least}")
        kinds = [self._verified(reason, answer, since) for reason in answer.provenance.reasons]
        self.degraded.update(kinds)
        expected = self.expected(customer, log.next_offset)
        served = {**answer.metrics, "profile": answer.profile} if answer.known else None
        if served != expected and not self._excused(kinds, answer):
            raise Wrong(f"{customer} at offset {log.next_offset}: {difference(served, expected)}; {answer.provenance}")

    def expected(self, customer: str, offset: int) -> Expected | None:
        """The oracle's answer, computed once for each number of the customer's records below the offset."""
        history = self.oracle._history.get(customer, [])
        index = bisect_left(history, offset, key=lambda entry: entry.offset)
        if (customer, index) not in self._expected:
            below = {partition_of(customer, PARTITIONS): offset}
            answer = self.oracle.answer(customer, AS_OF, below)
            profile = self.oracle.profile(customer, below)
            self._expected[customer, index] = None if answer is None else {**answer, "profile": profile}
        return self._expected[customer, index]

    def _verified(self, reason: str, answer: Answer, since: Since) -> str:
        kind = next((kind for kind, text in REASONS.items() if text.fullmatch(reason)), None)
        if kind is None or not self._holds(kind, reason, answer.provenance.log.partition, since):
            raise Wrong(f"{answer.customer_id}: degraded, but it is not so: {reason}; acknowledged: {since}")
        return kind

    def _holds(self, kind: str, reason: str, partition: int, since: Since) -> bool:
        row, now, end = since.get(partition), self.world.loop.now, self.world.log.next_offsets[partition]
        if kind == "deltas expired":
            match = REASONS[kind].fullmatch(reason)
            return match is not None and int(match[1]) < int(match[2]) <= self.world.expired_below(now)[partition]
        if kind == "never ran":
            return row is None
        seen = self._rows.get(partition, ())
        rows = seen if row is None else [row, *(each for each in seen if each.next_offset > row.next_offset)]
        return any(_is_late(kind, each, now, end) for each in rows)

    def _excused(self, kinds: Sequence[str], answer: Answer) -> bool:
        """Whether a delta that the answer needed may have expired, and the answer said so."""
        if not EXCUSES & set(kinds):
            return False
        partition, batch = answer.provenance.log.partition, answer.provenance.batch
        cut = batch.cut.get(partition, 0) if batch else 0
        gone = self.world.loop.now - TTL_SECONDS * 1_000_000
        return any(r.offset >= cut and r.appended_at <= gone for r in self.world.log.from_offset(partition, cut))


def _row(put: Put) -> tuple[int, Acknowledged]:
    cells = dict(put.cells)
    return put.clustering[0], Acknowledged(cells["next_offset"], cells["beat_at"], cells["caught_up_at"])


def _is_late(kind: str, row: Acknowledged, now: int, end: int) -> bool:
    if kind == "silent":
        return now - row.beat_at > LATE.max_behind_seconds * 1e6
    if kind == "records behind":
        return end - row.next_offset > LATE.max_behind_records
    if kind == "not caught up yet":
        return row.caught_up_at == 0 and end > row.next_offset
    return now - row.caught_up_at > LATE.max_behind_seconds * 1e6


def difference(served: Mapping[str, object] | None, expected: Expected | None) -> str:
    """Where two answers differ."""
    if served is None or expected is None:
        return f"served {'an unknown customer' if served is None else 'a known one'}, against the oracle"
    return ", ".join(
        f"{name} {served[name]!r} for {expected[name]!r}" for name in expected if served[name] != expected[name]
    )
