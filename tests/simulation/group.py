"""The consumer group: who works on which partition, and who is killed, stopped, or does not hear of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.simulation.network import Op
from tests.simulation.pointer import decoded
from tests.simulation.process import Process, WorkerProcess
from tests.simulation.scenery import PARTITIONS

if TYPE_CHECKING:
    from tests.simulation.world import World


class Group:
    """The workers, dead ones apart. A zombie is one that works on without being a member."""

    def __init__(self, world: "World") -> None:
        self._world, self.workers, self._started = world, list[WorkerProcess](), 0

    @property
    def running(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if worker.runs]

    @property
    def frozen(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if worker.frozen]

    def rebalance(self) -> None:
        """Partitions are dealt anew to those that answer; one that does not hear of it goes on as before."""
        random, members = self._world.random, [worker for worker in self.running if worker.is_member]
        if len(members) > 1 and random.random() < 0.2 * self._world.profile.freezes:
            self._world.count("zombie (hears late of a rebalance)")
            deaf = members.pop(random.randrange(len(members)))
            deaf.is_member = False
            self._world.add(Op(f"{deaf.name} hears of it", lambda: self._rejoin(deaf), deaf), late=True)
        while len(members) < random.randint(1, 2):
            members.append(self._start())
        hands: dict[WorkerProcess, set[int]] = {member: set() for member in members}
        for partition in range(PARTITIONS):
            hands[random.choice(members)].add(partition)
        for member in members:
            member.revoke()
        for member, hand in hands.items():
            member.assign(hand)

    def rebalance_for_no_reason(self) -> None:
        self._world.count("rebalance")
        self.rebalance()

    def crash(self) -> None:
        """A worker is killed, whatever it was doing."""
        self._world.count("crash")
        self.end(self._world.random.choice(self.running))

    def end(self, worker: WorkerProcess) -> None:
        self._world.say(f"      {worker.name} is killed")
        worker.kill()
        self.workers.remove(worker)
        self._world.others.append(worker)
        self._world.add(Op("the group misses a member", self.rebalance))

    def move(self, worker: WorkerProcess) -> None:
        """A worker ends, and another one begins, in the generation that is served."""
        if worker in self.workers and worker.generation != decoded(self._world.pointer).generation:
            self._world.count("worker moved to another generation")
            self.end(worker)

    def freeze(self) -> None:
        """A worker is stopped (SIGSTOP) and loses its partitions, while what it has sent goes on."""
        self._world.count("zombie (stopped, replaced, continued)")
        worker = self._world.random.choice(self.running)
        self._world.say(f"      {worker.name} is stopped")
        worker.frozen, worker.is_member = True, False
        self._world.add(Op("the group misses a member", self.rebalance))

    def thaw(self) -> None:
        """A stopped worker goes on (SIGCONT), and hears later that it was replaced."""
        worker = self._world.random.choice(self.frozen)
        self._world.say(f"      {worker.name} continues")
        worker.frozen = False
        self._world.add(Op(f"{worker.name} hears that it was replaced", lambda: self._rejoin(worker), worker))

    def heal(self) -> None:
        """All that are left run, and are members."""
        for worker in self.workers:
            worker.frozen, worker.is_member = False, True
        self.rebalance()

    def _start(self) -> WorkerProcess:
        self._started += 1
        worker = WorkerProcess(self._world, f"w{self._started}")
        self.workers.append(worker)
        return worker

    def _rejoin(self, worker: WorkerProcess) -> None:
        worker.revoke()
        worker.is_member = True
        self.rebalance()


def running(processes: Sequence[Process], kind: type[Process]) -> list[Process]:
    """Those of a kind that run."""
    return [process for process in processes if isinstance(process, kind) and process.runs]
