"""`make faults`: real faults under load; after each, every answer is compared with the oracle.

A fault of the speed layer counts only if it was behind the log at that moment: the lag is printed with it. "Right
after" is the time, from the fault (for a server: from its return), until everything that the log held then is applied;
for a batch that was killed, what the next run took. At the end the topics of deltas and alerts are compared with what
is stored.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from statistics import median
from typing import Final

from rich.console import Console

from common import logs
from common.settings import SpeedSettings
from infra.drawing import Column, draw
from tests.faults.batch import killed_at_every_step, killed_at_random
from tests.faults.faults import broker_away, cassandra_away, kill, rebalances, stop_and_continue
from tests.faults.publishes import publishes
from tests.faults.story import Fault, Outcome, Story
from tests.support.stage import own_stack, stage

SESSION_SECONDS: Final = 6.0
WORKERS: Final = 2
LOAD: Final = 600.0
FAULTS: Final[dict[str, Fault]] = {
    "kill": kill,
    "stop": stop_and_continue,
    "rebalance": rebalances,
    "broker": broker_away,
    "cassandra": cassandra_away,
    "batch-steps": killed_at_every_step,
    "batch-kill": killed_at_random,
    "publishes": publishes,
}


def main() -> int:
    options = argparse.ArgumentParser(prog="make faults", description=__doc__)
    options.add_argument("--kills", type=int, default=50, help="how many times a worker is killed with SIGKILL")
    options.add_argument("--batch-kills", type=int, default=20, help="how many times the batch's driver is, at random")
    options.add_argument("--only", choices=list(FAULTS), action="append", help="these faults instead of all")
    options.add_argument("--seed", type=int, default=1, help="of the load and of the choice of victims")
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console(width=140)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    speed = SpeedSettings(session_timeout_seconds=SESSION_SECONDS, large_refund_cents=5_000)
    with own_stack() as stack, stage(stack, speed=speed) as scene:
        story = Story(scene, stack, console, random.Random(chosen.seed), LOAD)
        for _ in range(WORKERS):
            story.join()
        times = {"kill": chosen.kills, "batch-kill": chosen.batch_kills}
        for name in chosen.only or FAULTS:
            for _ in range(times.get(name, 1)):
                FAULTS[name](story)
        complete = story.copies()
    return _report(console, story.outcomes, complete=complete)


def _report(console: Console, outcomes: Sequence[Outcome], *, complete: bool) -> int:
    """The table, and the exit code: 0 if nothing was wrong and nothing is missing."""
    headings = ("times", "lag", "right after", "records sent", "answers", "wrong", "degraded, of these")
    faults = dict.fromkeys(outcome.fault for outcome in outcomes)
    draw(
        (Column("fault"), *(Column(heading, right=True) for heading in headings)),
        [(fault, *_row([outcome for outcome in outcomes if outcome.fault == fault])) for fault in faults],
    )
    wrong = sum(outcome.wrong for outcome in outcomes)
    at_rest = sum(outcome.rest.degraded for outcome in outcomes)
    asked = sum(outcome.during.customers + outcome.rest.customers for outcome in outcomes)
    console.print(f"{len(outcomes)} faults, {asked} answers: {wrong} wrong, {at_rest} degraded at rest")
    return 0 if complete and not wrong and not at_rest else 1


def _row(outcomes: Sequence[Outcome]) -> list[str]:
    lags, times = [each.lag for each in outcomes], [each.right_after for each in outcomes]
    asked = sum(each.during.customers + each.rest.customers for each in outcomes)
    degraded = sum(each.during.degraded + each.rest.degraded for each in outcomes)
    return [
        str(len(outcomes)),
        f"{min(lags)} to {max(lags)}",
        f"{median(times):.1f} s ({min(times):.1f} to {max(times):.1f})",
        str(sum(each.sent for each in outcomes)),
        str(asked),
        str(sum(each.wrong for each in outcomes)),
        str(degraded),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
