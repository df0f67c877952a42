"""What must hold: every answer is the oracle's at the offset that it names, or degraded for a reason that is true."""

import asyncio
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from common.algebra.losses import Range
from common.algebra.pointer import Pointer
from common.log.partition import partition_of
from common.log.position import Position
from common.tables import Tables
from infra.proof.oracle import Answer as Expected
from infra.proof.oracle import Oracle
from serving_layer.answer.answers import Answer, Answers
from serving_layer.read.cassandra_store import CassandraViewStore
from serving_layer.read.reading import Reading
from serving_layer.read.store import Pin, StatementRefused
from tests.simulation.cql import Put
from tests.simulation.network import Session
from tests.simulation.pointer import decoded
from tests.simulation.process import SETTINGS, TTL_SECONDS, at_once
from tests.simulation.replicas import Cells, merged
from tests.simulation.scenery import PARTITIONS
from tests.simulation.wrong import Wrong
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
    "lost": re.compile(
        r"records (\d+) to (\d+) of partition (\d+) were lost, and are not yet declared as sent again .*"
    ),
    "accepted drift": re.compile(
        r"accepted drift: the audit of batch (\d+) found .*; the speed tables must be rebuilt"
    ),
}
PAIRS: Final = ((0, 1), (0, 2), (1, 2))
RELOOK: Final = 0.1
EXCUSES: Final = {"never ran", "deltas expired", "silent"}
"""Reasons for which deltas may be gone."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A partition's progress row as far as it was acknowledged: whoever reads after that sees it, or more."""

    next_offset: int
    beat_at: int
    caught_up_at: int


Lane = tuple[int, int]
"""A generation of the speed tables, and a partition."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of accepted drift: the batch whose audit found it, and the batch's cut in the customer's partition."""

    batch_id: int
    cut: int


@dataclass(frozen=True, slots=True)
class Since:
    """What was acknowledged when a reading began, which it must not miss."""

    rows: Mapping[Lane, Acknowledged]
    marks: Mapping[tuple[int, str], Mark]


class Glance(CassandraViewStore):
    """Serving's store, whose statements are answered at once, and change nothing."""

    def __init__(self, world: "World") -> None:
        session: Any = Session(world, None, named=False)
        super().__init__(session, SETTINGS, at_once)
        self._world = world

    def _rows(self, statement: Any, parameters: Sequence[object]) -> Awaitable[list[Any]]:  # type: ignore[override] # a task each is slow
        done: asyncio.Future[list[Any]] = self._world.loop.create_future()
        select = statement.compile(parameters)
        if select.table.name in self._world.dropped:
            done.set_exception(StatementRefused(f"{select.table.name} was dropped"))
        else:
            done.set_result(self._world.network.glance(select))
        return done


class Told(Answers):
    """Answers of which one can tell by which pin the last ones are."""

    pin: Pin | None = None

    async def read(self, customers: Collection[str]) -> Reading:
        found = await super().read(customers)
        self.pin = found.pin
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """When a request began that a kept pin answered, and what was acknowledged then."""

    at: int
    since: Since


@dataclass
class Judge:
    """Asks serving's own code, and compares."""

    world: "World"
    oracle: Oracle = field(default_factory=lambda: Oracle([], PARTITIONS))
    answers: int = 0
    degraded: Counter[str] = field(default_factory=Counter)
    marks: dict[tuple[int, str], Mark] = field(default_factory=dict)
    """By generation and customer, the last mark that an operator let be written."""
    _marked: dict[tuple[int, str], Mark] = field(default_factory=dict)
    """Those that were acknowledged."""
    _acknowledged: dict[Lane, Acknowledged] = field(default_factory=dict)
    _history: dict[Lane, list[tuple[int, int]]] = field(default_factory=dict)
    """By lane, each time at which a progress row was acknowledged, and its next offset."""
    pair: tuple[int, int] = (0, 1)
    _named: dict[str | None, tuple[int, str, str]] = field(default_factory=dict)
    _seen: set[object] = field(default_factory=set)
    _merges: dict[object, "Merged"] = field(default_factory=dict)
    _rows: dict[Lane, dict[Acknowledged, None]] = field(default_factory=dict)
    _oracles: dict[frozenset[Position], tuple[Oracle, int]] = field(default_factory=dict)
    _expected: dict[tuple[frozenset[Position], str, int], Expected | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store = Glance(self.world)
        self._answers = Answers(lambda: store, SETTINGS, lambda: self.world.loop.now)

    def reached(self, row: Put) -> None:
        """A progress row is on a replica: some readers see it, and not what is acknowledged below it."""
        lane, new = _row(row)
        self._rows.setdefault(lane, {})[new] = None

    def progressed(self, row: Put) -> None:
        """A progress row was acknowledged."""
        lane, new = _row(row)
        old = self._acknowledged.get(lane)
        if old is not None and old.next_offset == new.next_offset:
            beat, caught = max(old.beat_at, new.beat_at), max(old.caught_up_at, new.caught_up_at)
            new = Acknowledged(old.next_offset, beat, caught)
        if old is None or new.next_offset >= old.next_offset:
            self._acknowledged[lane] = new
            self._history.setdefault(lane, []).append((self.world.loop.now, new.next_offset))

    def marked(self, generation: int, customer: str, mark: Mark) -> None:
        """A mark was acknowledged."""
        self._marked[generation, customer] = mark

    def now(self) -> Since:
        """What is acknowledged now."""
        return Since(dict(self._acknowledged), dict(self._marked))

    def applied(self, generation: int) -> dict[int, int]:
        """By partition, the offset below which a generation is known to be applied now."""
        return {p: row.next_offset for (number, p), row in self._acknowledged.items() if number == generation}

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
        self.check(found[0], Since(self._acknowledged, self._marked), decoded(self.world.pointer))

    def _is_news(self, customer: str) -> bool:
        """Whether the rows that its answer is made of, apart from heartbeats, are new."""
        pointer, partition = self.world.pointer, partition_of(customer, PARTITIONS)
        generation, deltas, slot = self._places(pointer)
        progress = self._merged("speed_progress", generation).cells
        content = (
            customer,
            pointer,
            self._merged(deltas, customer).frozen,
            self._merged(slot, customer).frozen,
            progress.get(((partition,), "next_offset")),
            progress.get(((partition,), "from_offset")),
        )
        if content in self._seen:
            return False
        self._seen.add(content)
        return True

    def _merged(self, table: str, key: object) -> "Merged":
        """What the pair makes of a partition, computed once for each state of it."""
        one, other = (self.world.replicas[name] for name in self.pair)
        versions = one.version(table, key), other.version(table, key)
        found = self._merges.get((table, key, self.pair))
        if found is None or found.versions != versions:
            cells = merged(one.held(table, key), other.held(table, key)).cells
            found = self._merges[table, key, self.pair] = Merged(versions, cells)
        return found

    def _places(self, pointer: str | None) -> tuple[int, str, str]:
        """The generation that the pointer names, and the tables of its deltas and of its batch."""
        if pointer not in self._named:
            named = decoded(pointer)
            slot = f"batch_view_{named.published.slot}" if named.published else ""
            self._named[pointer] = named.generation, Tables(named.generation).deltas, slot
        return self._named[pointer]

    def check(self, answers: Sequence[Answer], since: Since, pinned: Pointer, asked: Asked | None = None) -> None:
        """Every answer, whose reading of what is `pinned` began at `since`, is right. Raises Wrong.

        By a kept pin, that is when the pin was taken, and the request began at `asked`.
        """
        self.answers += len(answers)
        for answer in answers:
            self._check(answer, since, pinned, asked)

    def _check(self, answer: Answer, since: Since, pinned: Pointer, asked: Asked | None) -> None:
        log, customer = answer.provenance.log, answer.customer_id
        if log.partition != partition_of(customer, PARTITIONS):
            raise Wrong(f"{customer}: partition {log.partition} is another's")
        generation = pinned.generation
        row = since.rows.get((generation, log.partition))
        least = 0 if row is None else row.next_offset
        if not least <= log.next_offset <= self.world.log.next_offsets[log.partition]:
            raise Wrong(f"{customer}: names offset {log.next_offset}, acknowledged were {least}")
        kinds = [self._verified(reason, answer, since, pinned) for reason in answer.provenance.reasons]
        self.degraded.update(kinds)
        self._check_mark(kinds, answer, since if asked is None else asked.since, generation)
        absent = self.world.losses.absent(generation, pinned)
        self._check_losses(answer, pinned, absent, applied=least)
        expected = self.expected(customer, log.next_offset, absent)
        served = {**answer.metrics, "profile": answer.profile} if answer.known else None
        if served != expected and not self._excused(kinds, answer, pinned):
            raise Wrong(f"{customer} at offset {log.next_offset}: {difference(served, expected)}; {answer.provenance}")
        if asked is not None and not self._excused(kinds, answer, pinned):
            self._check_age(answer, served, asked, generation, absent)

    def _check_age(
        self, answer: Answer, served: object, asked: Asked, generation: int, absent: frozenset[Position]
    ) -> None:
        """R20, R22: a kept pin is young, and the values are those of all that was acknowledged before the request."""
        log, customer = answer.provenance.log, answer.customer_id
        bound = asked.at - LATE.pin_max_age_seconds * 1e6
        history = self._history.get((generation, log.partition), ())
        least = max((offset for at, offset in history if at < bound), default=0)
        if log.next_offset < least:
            raise Wrong(f"{customer}: names offset {log.next_offset}, and {least} was acknowledged before the bound")
        row = asked.since.rows.get((generation, log.partition))
        now = self.expected(customer, max(log.next_offset, 0 if row is None else row.next_offset), absent)
        if served != now:
            raise Wrong(f"{customer} is not what was acknowledged before the request: {served}, {now}")

    def expected(self, customer: str, offset: int, absent: frozenset[Position] = frozenset()) -> Expected | None:
        """The answer of the oracle that never heard of some records.

        It is computed once for each number of the customer's records below the offset.
        """
        oracle = self._without(absent) if absent else self.oracle
        history = oracle._history.get(customer, [])
        index = bisect_left(history, offset, key=lambda entry: entry.offset)
        key = absent, customer, index
        if key not in self._expected:
            below = {partition_of(customer, PARTITIONS): offset}
            answer = oracle.answer(customer, AS_OF, below)
            profile = oracle.profile(customer, below)
            self._expected[key] = None if answer is None else {**answer, "profile": profile}
        return self._expected[key]

    def _without(self, absent: frozenset[Position]) -> Oracle:
        """An oracle of the log that there is now, without some of its records."""
        oracle, seen = self._oracles.get(absent, (Oracle([], PARTITIONS), 0))
        records = self.world.log.records
        oracle.extend(each for each in records[seen:] if Position(each.partition, each.offset) not in absent)
        self._oracles[absent] = oracle, len(records)
        return oracle

    def _check_losses(self, answer: Answer, pinned: Pointer, absent: frozenset[Position], *, applied: int) -> None:
        """R15: what is not declared as sent again is among the reasons, unless an erasure came after it.

        Only the speed tables say so: of an erasure that they have not `applied`, answers need not know.
        """
        customer, below, losses = answer.customer_id, answer.provenance.log.next_offset, self.world.losses
        for lost in losses.waiting(pinned, customer):
            is_named = any(f"declare-sent {lost}`" in reason for reason in answer.provenance.reasons)
            may_be_absent = losses.is_erased_after(customer, lost, below=below, absent=absent)
            must_be_absent = losses.is_erased_after(customer, lost, below=applied, absent=absent)
            if must_be_absent if is_named else not may_be_absent:
                raise Wrong(f"{customer} may lack some of {lost}, and the answer is: {answer.provenance}")

    def _check_mark(self, kinds: Sequence[str], answer: Answer, since: Since, generation: int) -> None:
        """R18: a mark degrades every answer of its generation, unless an erasure at or above its cut came after it."""
        customer = answer.customer_id
        mark = since.marks.get((generation, customer))
        if mark is None or "accepted drift" in kinds:
            return
        if self.world.resets.get(customer, -1) < mark.cut:
            raise Wrong(f"{customer} has a mark of accepted drift in generation {generation}: {answer.provenance}")

    def _verified(self, reason: str, answer: Answer, since: Since, pinned: Pointer) -> str:
        kind = next((kind for kind, text in REASONS.items() if text.fullmatch(reason)), None)
        if kind is None or not self._holds(kind, reason, answer, since, pinned):
            raise Wrong(f"{answer.customer_id}: degraded, but it is not so: {reason}; acknowledged: {since}")
        return kind

    def _holds(self, kind: str, reason: str, answer: Answer, since: Since, pinned: Pointer) -> bool:
        partition, generation = answer.provenance.log.partition, pinned.generation
        row, now, end = (
            since.rows.get((generation, partition)),
            self.world.loop.now,
            self.world.log.next_offsets[partition],
        )
        match = REASONS[kind].fullmatch(reason)
        if match is None:
            return False
        if kind == "deltas expired":
            return int(match[1]) < int(match[2]) <= self.gone_below(generation, partition)
        if kind == "lost":
            lost = Range(int(match[3]), int(match[1]), int(match[2]) + 1)
            return lost in self.world.losses.waiting(pinned, answer.customer_id)
        if kind == "never ran":
            return row is None
        if kind == "accepted drift":
            mark = self.marks.get((generation, answer.customer_id))
            return mark is not None and int(match[1]) <= mark.batch_id
        seen = self._rows.get((generation, partition), ())
        rows = seen if row is None else [row, *(each for each in seen if each.next_offset > row.next_offset)]
        return any(_is_late(kind, each, now, end) for each in rows)

    def gone_below(self, generation: int, partition: int) -> int:
        """The offset below which deltas of a generation may be gone: they have expired, or a rebuild left them out."""
        floor = self.world.floors.get(generation)
        return max(self.world.expired_below(self.world.loop.now)[partition], 0 if floor is None else floor[partition])

    def _excused(self, kinds: Sequence[str], answer: Answer, pinned: Pointer) -> bool:
        """Whether a delta that the answer needed may be gone, and the answer said so; or it was tampered with.

        Nobody can know of tampering before an audit. From then on the mark is asked for, whatever the answer.
        """
        if self.world.tampering.spoils(answer, pinned.generation):
            return True
        partition, batch = answer.provenance.log.partition, answer.provenance.batch
        if "lost" in kinds and self.world.losses.is_mixed(pinned.generation, partition):
            return True
        if not EXCUSES & set(kinds):
            return False
        cut = batch.cut.get(partition, 0) if batch else 0
        floor = self.world.floors.get(pinned.generation)
        if floor is not None and "deltas expired" in kinds and cut < floor[partition]:
            return True
        gone = self.world.loop.now - TTL_SECONDS * 1_000_000
        return any(r.offset >= cut and r.appended_at <= gone for r in self.world.log.from_offset(partition, cut))


class Merged:
    """What two replicas, each at one of its versions, make of a partition."""

    def __init__(self, versions: tuple[int, int], cells: Cells) -> None:
        self.versions, self.cells = versions, cells

    @cached_property
    def frozen(self) -> frozenset[object]:
        return frozenset(self.cells.items())


def _row(put: Put) -> tuple[Lane, Acknowledged]:
    cells = dict(put.cells)
    return (put.partition, put.clustering[0]), Acknowledged(
        cells["next_offset"], cells["beat_at"], cells["caught_up_at"]
    )


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
