"""`make faults`: workers killed and stopped under load; after each, every answer is compared with the oracle.

A fault counts only if the speed layer was behind the log at that moment: the lag is printed with it. "Right after" is
the time until everything that the log held at the fault is applied.
"""

import argparse
import random
import signal
import time

from rich.console import Console
from rich.table import Table

from common.settings import SpeedSettings
from tests.builders import AS_OF, random_messages
from tests.harness import Child, Verdict, wait_until
from tests.stage import Load, Stage, own_stack, stage

SESSION_SECONDS = 6.0
WORKERS = 2
LOAD = 600.0
"""Records a second while faults are injected."""
CUSTOMERS = 300


def main() -> int:
    options = argparse.ArgumentParser(prog="make faults", description=__doc__)
    options.add_argument("--kills", type=int, default=10, help="how many times a worker is killed with SIGKILL")
    options.add_argument("--seed", type=int, default=1, help="of the load and of the choice of victims")
    chosen = options.parse_args()
    console, table = Console(width=120), _table()
    verdicts: list[Verdict] = []
    speed = SpeedSettings(session_timeout_seconds=SESSION_SECONDS)
    with own_stack() as stack, stage(stack, speed=speed) as scene:
        rng, workers = random.Random(chosen.seed), [_worker(scene, number) for number in range(WORKERS)]
        for number in range(chosen.kills):
            verdicts.append(_killed(scene, workers, rng, chosen.seed * 1000 + number, table))
            console.print(f"kill {number + 1} of {chosen.kills}: {verdicts[-1].wrong} wrong")
        verdicts.append(_stopped(scene, workers, chosen.seed * 1000 + chosen.kills, table))
    console.print(table)
    wrong, degraded = sum(v.wrong for v in verdicts), sum(v.degraded for v in verdicts)
    console.print(
        f"{len(verdicts)} faults, {sum(v.customers for v in verdicts)} answers: {wrong} wrong, {degraded} degraded"
    )
    return 1 if wrong or degraded else 0


def _killed(scene: Stage, workers: list[Child], rng: random.Random, seed: int, table: Table) -> Verdict:
    """Kill one worker with SIGKILL while the speed layer is behind, and put another in its place at once."""
    load = _load(scene, seed)
    lag = _behind(scene)
    victim = rng.randrange(len(workers))
    ends, killed_at = scene.ends(), time.monotonic()
    workers[victim].kill()
    workers[victim] = _worker(scene, victim)
    scene.wait_applied(ends)
    right_after = time.monotonic() - killed_at
    return _judge(scene, load, table, "SIGKILL", lag, right_after)


def _stopped(scene: Stage, workers: list[Child], seed: int, table: Table) -> Verdict:
    """Stop a worker past its session time, let a replacement take over, and continue the zombie beside it."""
    load = _load(scene, seed)
    lag = _behind(scene)
    ends, stopped_at = scene.ends(), time.monotonic()
    workers[0].signal_group(signal.SIGSTOP)
    workers.append(_worker(scene, len(workers)))
    scene.wait_applied(ends)
    right_after = time.monotonic() - stopped_at
    wait_until(lambda: time.monotonic() - stopped_at > 2 * SESSION_SECONDS, 60, "the session time is over twice")
    _behind(scene)
    workers[0].signal_group(signal.SIGCONT)
    return _judge(scene, load, table, f"SIGSTOP {2 * SESSION_SECONDS:.0f} s, SIGCONT", lag, right_after)


def _judge(scene: Stage, load: Load, table: Table, fault: str, lag: int, right_after: float) -> Verdict:
    """All answers while the load goes on, each at the offset it names, and all once more when it has ended."""
    during = scene.check(AS_OF)
    sent = load.end()
    scene.wait_applied(scene.ends())
    verdict = scene.check(AS_OF)
    if difference := during.first_difference or verdict.first_difference:
        Console().print(difference)
    figures = (lag, f"{right_after:.1f} s", sent, during.customers, during.wrong, verdict.customers, verdict.wrong)
    table.add_row(fault, *map(str, figures), str(verdict.degraded))
    verdict.wrong += during.wrong
    verdict.customers += during.customers
    return verdict


def _load(scene: Stage, seed: int) -> Load:
    load = Load(scene.settings, random_messages(seed, 1_000_000, customers=CUSTOMERS), LOAD)
    load.start()
    return load


def _behind(scene: Stage) -> int:
    """The lag at a moment when there is one."""
    lag = 0

    def seen() -> bool:
        nonlocal lag
        lag = scene.lag()
        return lag > 0

    wait_until(seen, 60, "the speed layer is behind", every=0.01)
    return lag


def _worker(scene: Stage, number: int) -> Child:
    return scene.start("speed", "run", name=f"worker-{number}")


def _table() -> Table:
    table = Table(title="Faults under load, and every answer after each")
    columns = ("fault", "lag", "right after", "sent", "asked under load", "wrong", "asked at rest", "wrong", "degraded")
    for column in columns:
        table.add_column(column, justify="left" if column == "fault" else "right")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
