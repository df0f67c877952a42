"""The driver's seam: a session whose statements reach three replicas when, and if, the simulation says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cassandra import OperationTimedOut
from cassandra.query import FETCH_SIZE_UNSET, BatchStatement

from common.servers.cassandra import named_rows
from tests.simulation.cql import Change, Put, Select, Table, compiled, from_wire
from tests.simulation.replicas import Part, merged, rows

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World


@dataclass(eq=False, slots=True)
class Op:
    """Something that may happen next. An owner's happens only while it runs; nobody's is the network's own."""

    label: str | Callable[[], str]
    """What it is, in words; a function where only a trace is worth making them."""
    act: Callable[[], None]
    owner: "Process | None" = None
    after: int = 0
    """The step before which it does not happen, unless nothing else can."""
    born: int = 0

    def __str__(self) -> str:
        return self.label if isinstance(self.label, str) else self.label()

    @property
    def can_happen(self) -> bool:
        return self.owner is None or self.owner.runs


@dataclass(eq=False, slots=True)
class Response:
    """The driver's future: answered once, by a callback."""

    answered: Callable[[list[Any] | None], None] | None = None
    failed: Callable[[BaseException], None] | None = None
    rows: list[Any] | None = None
    has_more_pages: bool = False

    def add_callbacks(
        self, answered: Callable[[list[Any] | None], None], failed: Callable[[BaseException], None]
    ) -> None:
        self.answered, self.failed = answered, failed
        if self.rows is not None:
            answered(self.rows)

    def clear_callbacks(self) -> None:
        self.answered = self.failed = None

    def answer(self, found: list[Any]) -> None:
        if self.answered is not None:
            self.answered(found)

    def time_out(self) -> None:
        if self.failed is not None:
            self.failed(OperationTimedOut())


@dataclass(eq=False, slots=True)
class Bound:
    """A statement with its values; the other fields are what the driver and its BatchStatement look at."""

    statement: Change | Select
    fetch_size: int | object | None = None
    keyspace: None = None
    routing_key: None = None
    custom_payload: None = None

    @property
    def query_string(self) -> "Bound":
        return self


@dataclass(eq=False, slots=True)
class Prepared:
    """A prepared statement; the fields below are what the driver's own BoundStatement looks at."""

    text: str
    compile: Callable[[Sequence[Any]], Change | Select]
    retry_policy: None = None
    consistency_level: None = None
    serial_consistency_level: None = None
    fetch_size: int | object | None = FETCH_SIZE_UNSET
    custom_payload: None = None
    is_idempotent: bool = False
    column_metadata: tuple[()] = ()
    routing_key_indexes: tuple[()] = ()

    @property
    def query_id(self) -> "Prepared":
        return self

    def bind(self, values: Sequence[Any]) -> Bound:
        return Bound(self.compile(values), self.fetch_size)


def said(statement: Any) -> Change | Select:
    """What a bound statement says, whoever bound it; the driver's own holds values as they go over the wire."""
    if isinstance(statement, Bound):
        return statement.statement
    prepared = statement.prepared_statement
    one: Change | Select = prepared.compile(from_wire(prepared.text, statement.values))
    return one


@dataclass(eq=False, slots=True)
class Metadata:
    def all_hosts(self) -> list[object]:
        return [self]


@dataclass(eq=False, slots=True)
class Cluster:
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(eq=False, slots=True)
class Session:
    """What the core uses of a driver's session, for one process."""

    world: "World"
    owner: "Process | None"
    named: bool = True
    keyspace: str = "lambda360"
    cluster: Cluster = field(default_factory=Cluster)

    def prepare(self, text: str) -> Prepared:
        return Prepared(text, compiled(text))

    def execute_async(self, statement: Any, parameters: Sequence[Any] | None = None) -> Response:
        response = Response()
        if isinstance(statement, BatchStatement):
            parts = statement._statements_and_parameters
            changes = [
                one.compile(from_wire(one.text, values)) if is_prepared else one.statement
                for is_prepared, one, values in parts
            ]
            self.world.network.write(self.owner, changes, response)
            return response
        one = statement.compile(parameters or ()) if isinstance(statement, Prepared) else said(statement)
        if isinstance(one, Select):
            self._check_is_whole(one, statement)
            self._read(one, response)
        else:
            self.world.network.write(self.owner, [one], response)
        return response

    def _check_is_whole(self, select: Select, statement: Any) -> None:
        """Each page is read at another moment: a mutation would be read in part."""
        if not select.table.is_repaired and statement.fetch_size is not None:
            raise AssertionError(f"a read of {select.table.name} may span pages")

    def _read(self, select: Select, response: Response) -> None:
        def answer(found: list[Any]) -> None:
            response.answer(named_rows(select.columns, found) if self.named else found)

        self.world.network.read(self.owner, select, answer, response.time_out)


@dataclass
class Network:
    """Decides each statement's fate, and lists what may happen."""

    world: "World"

    def write(self, owner: "Process | None", changes: Sequence[Change], response: Response) -> None:
        """Every partition's part of the changes is one mutation, delivered to each replica on its own."""
        world, random, profile = self.world, self.world.random, self.world.profile
        if world.dropped and any(change.table in world.dropped for change in changes):
            world.add(Op("write to a table that was dropped", response.time_out, owner))
            return
        groups = [(key, list(part)) for key, part in groupby(changes, key=lambda change: change.partition)]
        write = _Write(world, owner, response, {key: 2 for key, _ in groups}, random.random() < profile.write_timeouts)
        for key, mutation in groups:
            reached = random.choice((0, 1, 1, 2, 3)) if write.timed_out else 3
            if write.timed_out:
                world.count(
                    ("write lost", "write on one replica only", "timeout after effect", "timeout after effect")[reached]
                )
            for turn, name in enumerate(random.sample((0, 1, 2), reached)):
                late = (turn == 2 or write.timed_out) and random.random() < profile.late
                world.add(write.delivery(key, mutation, name), late=late)
        if write.timed_out:
            world.add(Op("write times out", response.time_out, owner))
            if random.random() < profile.crashes / 4:
                world.crash_soon(owner)

    def read(
        self, owner: "Process | None", select: Select, answer: Callable[[list[Any]], None], time_out: Callable[[], None]
    ) -> None:
        world, random, profile = self.world, self.world.random, self.world.profile
        if select.table.name in world.dropped:
            world.add(Op("read of a table that was dropped", time_out, owner))
            return
        if random.random() < profile.read_timeouts:
            world.count("read timed out")
            world.add(Op(f"read {select.table.name} times out", time_out, owner))
            return
        pairs = [(key, random.sample((0, 1, 2), 2)) for key in dict.fromkeys(select.partitions)]
        read = Read(world, owner, select, answer, missing=2 * len(pairs))
        if random.random() >= profile.torn_reads:

            def what() -> str:
                return f"read {select.table.name} {[(key, *pair) for key, pair in pairs]}"

            world.add(Op(what, lambda: read.at_once(pairs), owner))
            return
        world.count("torn read")
        for key, pair in pairs:
            for name in pair:
                snapshot = read.snapshot(key, name)
                snapshot.after = world.steps + random.choice((0, 0, 20, 80))
                world.add(snapshot)

    def glance(self, select: Select) -> list[Any]:
        """The rows that two replicas of each partition hold now."""
        found = self.world.fixed(select)
        if found is None:
            found = []
            for key in select.partitions:
                (one, other), replicas = self.world.judge.pair, self.world.replicas
                part = merged(replicas[one].seen(select, key), replicas[other].seen(select, key))
                found += rows(select, key, part, self.world.now)
        return found


@dataclass(eq=False, slots=True)
class _Write:
    world: "World"
    owner: "Process | None"
    response: Response
    missing: dict[Any, int]
    timed_out: bool
    answered: bool = False
    """Whether the answer is under way: an acknowledgement, or that a table was dropped meanwhile."""

    def delivery(self, key: Any, mutation: list[Change], name: int) -> Op:
        at = self.world.now

        def deliver() -> None:
            if mutation[0].table in self.world.dropped:
                if not self.timed_out and not self.answered:
                    self.answered = True
                    self.world.add(Op("write to a table that was dropped", self.response.time_out, self.owner))
                return
            changed = self.world.replicas[name].write(mutation, at)
            self.missing[key] -= 1
            if changed:
                self.world.touched(mutation)
            if not self.timed_out and not self.answered and all(left <= 0 for left in self.missing.values()):
                self.answered = True
                for change in mutation:
                    if change.table == "speed_progress" and isinstance(change, Put):
                        self.world.judge.progressed(change)
                self.world.add(Op(f"ack {key}", lambda: self.response.answer([]), self.owner))

        return Op(lambda: f"replica {name} takes {describe(mutation)}", deliver)


@dataclass(eq=False, slots=True)
class Read:
    """One select on two replicas of each partition, `missing` parts of which have not come yet."""

    world: "World"
    owner: "Process | None"
    select: Select
    answer: Callable[[list[Any]], None]
    missing: int
    parts: dict[Any, list[tuple[int, Part]]] = field(default_factory=dict)

    def snapshot(self, key: Any, name: int) -> Op:
        def take() -> None:
            self._take(key, name)
            if not self.missing:
                self.world.add(Op(f"read {self.select.table.name} answers", self._finish, self.owner))

        return Op(f"read {self.select.table.name} {key} on replica {name}", take)

    def at_once(self, pairs: list[tuple[Any, list[int]]]) -> None:
        for key, pair in pairs:
            for name in pair:
                self._take(key, name)
        self._finish()

    def _take(self, key: Any, name: int) -> None:
        self.missing -= 1
        self.parts.setdefault(key, []).append((name, self.world.replicas[name].part(self.select, key)))

    def _finish(self) -> None:
        found = self.world.fixed(self.select)
        if found is None:
            found = [row for key in self.select.partitions for row in self._rows(key)]
        self.answer(found)

    def _rows(self, key: Any) -> list[tuple[Any, ...]]:
        (one, first), (other, second) = self.parts[key]
        both = merged(first, second)
        if is_repaired(self.select.table):
            for name in (one, other):
                if self.world.replicas[name].merge(self.select.table.name, key, both):
                    self.world.touched_table(self.select.table.name, key)
        return rows(self.select, key, both, self.world.now)


def is_repaired(table: Table) -> bool:
    """Whether a read of the table mends replicas, with the rows that it selected and the partition's deletion."""
    return table.is_repaired


def describe(mutation: Sequence[Change]) -> str:
    """The mutation in one line, for a trace."""
    parts = [
        f"{c.table}{c.clustering}@{c.timestamp}" if isinstance(c, Put) else f"delete {c.table}<={c.timestamp}"
        for c in mutation
    ]
    return f"{mutation[0].partition}: {' '.join(parts)}"
