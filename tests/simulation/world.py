"""The world of one seed: everything in it, step by step, until all of the log is applied, and then the verdict."""

import asyncio
from asyncio import events
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Final

from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer
from common.errors import LogError, RejectedRecord
from common.log.events import Event, parse
from common.log.position import Position
from common.tables import Tables
from speed_layer.progress.watchdog import Stuck
from speed_layer.publish.publisher import Outgoing
from tests.simulation import mending
from tests.simulation.batch import BatchRun, Reader
from tests.simulation.cql import GENERATION, Change, Put, Select
from tests.simulation.finale import check
from tests.simulation.group import Group, running
from tests.simulation.judge import Judge
from tests.simulation.kept import RATE as KEPT_RATE
from tests.simulation.kept import Keepers
from tests.simulation.loop import SimLoop
from tests.simulation.losses import RATE, Losses, Master
from tests.simulation.network import Network, Op
from tests.simulation.pointer import decoded, switch_to
from tests.simulation.process import MARGIN_SECONDS, RULES, TTL_SECONDS, Process, WorkerProcess
from tests.simulation.rebuild import RebuildRun
from tests.simulation.replicas import Replica
from tests.simulation.scenery import PARTITIONS, Profile, SimLog, messages
from tests.simulation.steps import Steps
from tests.simulation.tampering import Tampering
from tests.simulation.wrong import Wrong
from tests.support.builders import APPENDED_AT, Message
from tests.support.logs import silent

SKIPS_RATE: Final = 0.06
"""The part of all seeds in which workers may skip to a batch's cut."""
MOST_STEPS: Final = 4000
"""Steps until everything is applied, once faults have stopped."""
ANSWERING: Final = ("speed_deltas", "batch_view_a", "batch_view_b", "batch_view_c")
"""Tables of customers' rows that answers are made of."""


class World:
    """Everything of one seed; `focus` names what the seed has plenty of, and `say` is told every step."""

    def __init__(self, seed: int, *, focus: str = "", say: Callable[[str], None] | None = None) -> None:
        self.random, self.eyes, self._say = Random(f"{seed}"), Random(f"{seed} eyes"), say
        self.profile = Profile.drawn(self.random, focus)
        fate = Random(f"{seed} losses")
        if fate.random() < RATE:
            self.profile = replace(self.profile, losses=1.0)
        kept = Random(f"{seed} kept")
        if kept.random() < KEPT_RATE:
            self.profile = replace(self.profile, kept=1.0)
        self.skips = Random(f"{seed} skips")
        if self.skips.random() < SKIPS_RATE:
            self.profile = replace(self.profile, skips=0.5)
        self.messages = list(messages(self.random, self.profile))
        self.loop, self.log = SimLoop(APPENDED_AT), SimLog()
        self.replicas = [Replica(name) for name in range(3)]
        self.network, self.judge, self.group, self.stepper = Network(self), Judge(self), Group(self), Steps(self)
        self.others: list[Process] = []
        self.keepers = Keepers(self, kept)
        self.tampering = Tampering(self)
        self.losses, self.master = Losses(self, fate), Master(self)
        self.pointer: str | None = None
        self.floors: dict[int, Cut] = {}
        """By generation that a rebuild began, the offsets below which it has no deltas."""
        self.retired: set[int] = set()
        """The generations whose tables were dropped."""
        self.dropped: set[str] = set()
        self.lacking: dict[Plan, Position | None] = {}
        """The record that is missing from the batches of a plan."""
        self.resets: dict[str, int] = {}
        """By customer, the offset of its last erasure in the log."""
        self.copied: list[Outgoing] = []
        self.events: dict[Position, Event] = {}
        self.ops: list[Op] = []
        self.late: list[Op] = []
        self.counts: Counter[str] = Counter()
        self.failures: list[tuple[Process, BaseException]] = []
        self.steps = 0
        self._touched: dict[str, None] = {}
        self._dead: list[Process] = []

    def run(self) -> "World":
        """All of the seed. Raises Wrong, or what the core raised."""
        with self._running():
            stuck = self.profile.losses or self.profile.tampering  # a batch of a log at rest could be refused for ever
            if self.skips.random() < self.profile.skips and not stuck:
                self._begin_with_a_batch()
            self.group.rebalance()
            while self.messages or self.steps < 10 * len(self.log.records):
                self._step()
            self.profile = self.profile.calm()
            self.group.heal()
            self._finish()
        return self

    def _step(self) -> None:
        """One step, all that follows from it at once, and a look at every answer that it may have changed."""
        self.steps += 1
        self.stepper.next()
        self.loop.drain()
        while self.failures:
            self._failed(*self.failures.pop())
        if self._touched:
            customers = sorted(self._touched)
            self._touched.clear()
            self.judge.look(customers)
            self.keepers.look(customers)

    def _begin_with_a_batch(self) -> None:
        """A history is in the log before any worker runs: a batch of it, and the speed tables from its cut on."""
        for _ in range(self.skips.randint(1, len(self.messages))):
            self.append(self.messages.pop(0))
        self.count("begins with a batch")
        for _ in range(MOST_STEPS // 4):  # workers do not wait for ever
            pointer = decoded(self.pointer)
            if pointer.published is None:
                self._at_work(BatchRun)
            elif pointer.generation == 1:
                self._at_work(RebuildRun)
            else:
                return
            self._step()

    def _at_work(self, kind: type[BatchRun] | type[RebuildRun]) -> None:
        """Somebody does it; who was killed is replaced."""
        if not running(self.others, kind):
            self.others.append(kind(self, f"first {kind.__name__} at {self.steps}"))

    def _finish(self) -> None:
        """Without further faults everything is applied, acknowledged and published, and a last batch is audited.

        Then answers are right by every batch that an operator may roll back to.
        """
        self._until(lambda: mending.go_on(self))
        self._until(self._is_applied)
        last = BatchRun(self, "last")
        self.others.append(last)
        self._until(lambda: last.dead)
        self._until(self._is_applied)
        for _ in range(3):
            self.judge.look(self.judge.oracle.mentioned)
            self.keepers.look(self.judge.oracle.mentioned)
        for batch in decoded(self.pointer).complete:
            switch_to(self, batch.batch_id)
            self.judge.look(self.judge.oracle.mentioned)
            self.keepers.look(self.judge.oracle.mentioned)
        check(self)

    def _until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(MOST_STEPS):
            if is_so():
                return
            self._step()
        raise Wrong(f"does not finish: {self.judge.now()} of {self.log.next_offsets}")

    def _is_applied(self) -> bool:
        reached, ends = self.judge.applied(decoded(self.pointer).generation), self.log.next_offsets
        return not self.late and all(reached.get(p, -1) >= end for p, end in ends.items() if end)

    def _failed(self, process: Process, error: BaseException) -> None:
        if isinstance(error, LogError) and isinstance(process, WorkerProcess) and self.losses.gone:
            self.count("worker refused to start: records are gone")
            if process in self.group.workers:
                self.group.end(process)
            return
        if not isinstance(error, Stuck) or not isinstance(process, WorkerProcess):
            raise error
        self.count("ended by the watchdog")
        self.group.end(process)

    # What its parts tell it, and ask.

    def append(self, message: Message) -> None:
        """The log gets a record."""
        record = self.log.append_at(message, self.loop.now)
        self.judge.oracle.extend([record])
        if self.is_traced:
            self.say(f"      partition {record.partition} offset {record.offset} {record.key!r} {record.value!r}")
        try:
            event = parse(record.key, record.value, record.partition, PARTITIONS, record.appended_at, RULES)
        except RejectedRecord:
            self.count("poison record")
            return
        self.events[Position(record.partition, record.offset)] = event
        self.count("reset" if event.is_erasure else "valid record")
        if event.is_erasure:
            self.resets[event.customer_id] = record.offset

    @property
    def now(self) -> int:
        return self.loop.now

    @property
    def is_traced(self) -> bool:
        return self._say is not None

    def lay_aside_dead(self) -> None:
        """Nothing asks for processes that are dead, but they are kept: a coroutine that is collected runs on."""
        if any(process.dead for process in self.others):
            self._dead += [process for process in self.others if process.dead]
            self.others = [process for process in self.others if not process.dead]

    def say(self, what: str) -> None:
        if self._say is not None:
            self._say(f"{self.steps:5} {(self.loop.now - APPENDED_AT) / 1e6:9.3f} s  {what}")

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def add(self, op: Op, *, late: bool = False) -> None:
        op.born = self.loop.now
        (self.late if late else self.ops).append(op)

    def crash_soon(self, owner: Process | None) -> None:
        """A worker will be killed while what it just sent is under way, or lost."""
        if isinstance(owner, WorkerProcess):
            self.count("crash")
            self.add(Op("while a write is unanswered", lambda: self.group.end(owner), owner))

    def touched(self, mutation: Sequence[Change]) -> None:
        """A replica took a mutation."""
        for change in mutation:
            self.touched_table(change.table, change.partition)
            if change.table == "speed_progress" and isinstance(change, Put):
                self.judge.reached(change)

    def touched_table(self, table: str, key: Any) -> None:
        """A replica's rows are others than before."""
        if table in ANSWERING or GENERATION.sub("", table) in ANSWERING:
            self._touched[key] = None
        elif table == "speed_progress":
            self.touch_all()

    def touch_all(self) -> None:
        self._touched.update(dict.fromkeys(self.judge.oracle.mentioned))

    # Generations of the speed tables.

    def begin_generation(self, number: int, before: Pointer) -> None:
        """A rebuild begins; every batch that is complete by now must find its deltas in what it builds."""
        cuts = [batch.plan.cut for batch in before.complete]
        self.floors[number] = Cut.of({p: min((cut[p] for cut in cuts), default=0) for p in range(PARTITIONS)})

    def switched(self, before: Pointer, after: Pointer) -> None:
        """Another generation is served: each worker hears of it by and by."""
        for process in self.others:
            if isinstance(process, RebuildRun) and process.number == after.generation:
                process.check_switch(before.generation)
        for worker in self.group.workers:
            late = self.random.random() < self.profile.late
            self.add(Op(f"{worker.name} sees the generation", partial(self.group.move, worker), worker), late=late)

    def is_pinned(self, generations: Sequence[int]) -> bool:
        """Whether a request goes on that has one of these generations pinned."""
        return any(
            isinstance(each, Reader) and each.runs and each.store.pinned.generation in generations
            for each in self.others
        )

    def retire(self, generation: int) -> None:
        """Its tables are dropped: whoever still writes or reads them gets no answer."""
        tables = Tables(generation)
        for replica in self.replicas:
            for table in (tables.facts, tables.deltas):
                replica.drop(table)
                self.dropped.add(table)
        self.retired.add(generation)

    def is_gone(self, statement: str) -> bool:
        """Whether a statement is of a table that was dropped."""
        return not self.dropped.isdisjoint(statement.split())

    def expired_below(self, now: int) -> dict[int, int]:
        """What Kafka and the clock say of expired deltas."""
        found = self.log.appended_before(now - (TTL_SECONDS - MARGIN_SECONDS) * 1_000_000)
        return {partition: max(offset, self.losses.firsts[partition]) for partition, offset in found.items()}

    def fixed(self, select: Select) -> list[Any] | None:
        """The rows of tables that are not kept on replicas here."""
        if select.table.name == "batch_pointer":
            return [] if self.pointer is None else [(self.pointer,)]
        return [(PARTITIONS,)] if select.table.name == "log_identity" else None

    @contextmanager
    def _running(self) -> Iterator[None]:
        events._set_running_loop(self.loop)
        with silent():
            try:
                yield
            finally:
                for task in asyncio.all_tasks(self.loop):
                    task.cancel()
                self.loop.drain()
                events._set_running_loop(None)
                self.loop.close()
