"""What may happen next: each kind of step with its weight."""

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from speed_layer.apply.lanes import Lane
from tests.simulation import mending
from tests.simulation.batch import BatchRun, Reader
from tests.simulation.group import running
from tests.simulation.network import Op
from tests.simulation.pointer import roll_back
from tests.simulation.process import Process, WorkerProcess
from tests.simulation.rebuild import RebuildRun
from tests.simulation.scenery import PARTITIONS

if TYPE_CHECKING:
    from tests.simulation.world import World

REQUEST_MICROS: Final = 10_000_000
"""Time stands still while something is waited for as long as this."""


MOST_REBUILDS: Final = 4


Choice = tuple[float, str, Callable[[], object]]
"""A step's weight, its name, and what makes it."""


class Steps:
    """Draws the next step, and makes it."""

    def __init__(self, world: "World") -> None:
        self._world, self._started = world, 0

    def next(self) -> None:
        self._world.lay_aside_dead()
        choices = [choice for choice in (*self._ordinary(), *self._faults(), *self._batches()) if choice[0]]
        ends = list(accumulate(weight for weight, _, _ in choices))
        drawn = bisect(ends, self._world.random.random() * ends[-1], 0, len(ends) - 1)  # as Random.choices does
        _, name, act = choices[drawn]
        self._world.say(name)
        act()

    def _ordinary(self) -> list[Choice]:
        world = self._world
        found: list[Choice] = [(6 if world.profile.expiry else 3, "time", self._pass_time)]
        if world.ops:
            found.append((100, "op", self._next_op))
        if world.late:
            found.append((2, "late", self._late_op))
        if world.messages:
            found.append((8, "produce", self._produce))
        fetches = [(worker, lane) for worker in world.group.workers if worker.runs for lane in worker.fetches()]
        if fetches:
            found.append((14, "fetch", lambda: self._fetch(fetches)))
        if world.profile.readers and world.judge.oracle.mentioned:
            found.append((3 * world.profile.readers, "reader", self._start_reader))
        return found

    def _faults(self) -> list[Choice]:
        world, group, profile = self._world, self._world.group, self._world.profile
        found: list[Choice] = [(1, "continue", group.thaw)] if group.frozen else []
        if group.running:
            found.append((profile.crashes / 2, "crash", group.crash))
            found.append((profile.freezes / 2, "stop", group.freeze))
            found.append((profile.rebalances / 2, "rebalance", group.rebalance_for_no_reason))
        if running(world.others, BatchRun):
            found.append((profile.crashes / 2, "kill batch", self._kill_batch))
        if running(world.others, RebuildRun):
            found.append((profile.crashes, "kill rebuild", self._kill_rebuild))
        if profile.tampering and world.log.records:
            found.append((profile.tampering, "tamper", world.tampering.act))
        if profile.losses and world.log.records:
            found.append((profile.losses, "lose", world.losses.lose))
            found.append((2 * profile.losses, "operator", lambda: mending.go_on(world)))
        return found

    def _batches(self) -> list[Choice]:
        world, rate = self._world, self._world.profile.batches
        if not world.log.records:
            return []
        found: list[Choice] = [(world.profile.rebuilds, "rebuild", self._start_rebuild)]
        if rate:
            found.append((rate, "batch", self._start_batch))
            found.append((rate / 3, "rollback", lambda: roll_back(world)))
        return found

    # What was begun goes on.

    def _next_op(self) -> None:
        world = self._world
        ops = world.ops = [op for op in world.ops if op.owner is None or not op.owner.dead]
        able = [op for op in ops if op.owner is None or not op.owner.frozen]
        ready = [op for op in able if op.after <= world.steps] or able
        if ready:
            self._run(world.random.choice(ready), world.ops)
        else:
            self._pass_time()

    def _late_op(self) -> None:
        world = self._world
        world.late = [op for op in world.late if op.owner is None or not op.owner.dead]
        able = [op for op in world.late if op.can_happen]
        if able:
            self._run(world.random.choice(able), world.late)

    def _run(self, op: Op, listed: list[Op]) -> None:
        listed.remove(op)
        if self._world.is_traced:
            self._world.say(f"      {op}")
        op.act()

    def _pass_time(self) -> None:
        """The next timer, or a wait; nothing that is due, or waited for, is left behind."""
        world, loop = self._world, self._world.loop
        oldest = next((op for op in world.ops if op.can_happen), None)
        if oldest is not None and oldest.born + REQUEST_MICROS <= loop.now:
            self._run(oldest, world.ops)
            return
        timer = loop.next_timer(lambda owner: not isinstance(owner, Process) or owner.runs)
        if timer is not None and (timer.when() <= loop.time() or world.random.random() < 0.8):
            loop.fire(timer)
            return
        longest = 50.0 if oldest is None else 5.0
        if world.profile.expiry and not any(each.runs for each in (*world.group.workers, *world.others)):
            longest = 1200.0  # nobody is there to see it
        loop.now += round(world.random.uniform(0, longest) * 1e6)
        world.touch_all()

    def _fetch(self, fetches: list[tuple[WorkerProcess, Lane]]) -> None:
        worker, lane = self._world.random.choice(fetches)
        worker.fetch(lane, self._world.random.choice((1, 2, 5, 20)))

    # What begins.

    def _produce(self) -> None:
        world, log = self._world, self._world.log
        world.loop.now += world.random.choice((0, 1000, 1_000_000))
        if world.random.random() < 0.1:
            world.count("gap of an aborted transaction")
            log.skip(world.random.randrange(PARTITIONS), world.random.randint(1, 2))
        world.append(world.messages.pop(0))

    def _start_batch(self) -> None:
        if not (others := running(self._world.others, BatchRun)) or (
            len(others) < 2 and self._world.random.random() < 0.3
        ):
            self._started += 1
            self._world.others.append(BatchRun(self._world, f"b{self._started}"))

    def _kill_batch(self) -> None:
        self._world.count("batch killed")
        self._world.random.choice(running(self._world.others, BatchRun)).kill()

    def _start_rebuild(self) -> None:
        if len(running(self._world.others, RebuildRun)) < 2 and self._world.counts["rebuild"] < MOST_REBUILDS:
            self._started += 1
            self._world.count("rebuild")
            self._world.others.append(RebuildRun(self._world, f"g{self._started}"))

    def _kill_rebuild(self) -> None:
        self._world.count("rebuild killed")
        self._world.random.choice(running(self._world.others, RebuildRun)).kill()

    def _start_reader(self) -> None:
        self._started += 1
        mentioned = self._world.judge.oracle.mentioned
        asked = self._world.random.sample(mentioned, self._world.random.randint(1, len(mentioned)))
        self._world.others.append(Reader(self._world, f"r{self._started}", asked))
