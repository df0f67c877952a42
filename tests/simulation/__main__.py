"""`python -m tests.simulation`: run seeds, replay one of them step by step, or show that mutants of it are caught."""

import argparse
import sys
import time

from tests.simulation.mutants import MUTANTS, RARE, mutated
from tests.simulation.runs import Result, catches, describe, in_parallel
from tests.simulation.scenery import FOCUSES
from tests.simulation.world import World

OUT = sys.stdout
PROGRESS_SEEDS = 1000


def main() -> int:
    """The command; 1 if a seed failed, or a mutant was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every step")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="with --seed: break the core like this")
    parser.add_argument("--mutants", action="store_true", help="print the first seed that catches each mutant")
    parser.add_argument("--focus", choices=sorted(FOCUSES), default="", help="seeds with plenty of something")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.mutants:
        return show_mutants(seeds)
    if asked.seed is not None:
        return replay(asked.seed, asked.mutant, asked.focus, trace=asked.trace)
    return run(seeds, asked.focus)


def run(seeds: range, focus: str) -> int:
    """Run the seeds and report on them; Ctrl-C reports on those that were run. Returns 1 if one failed."""
    started = time.monotonic()
    total = Result()
    try:
        for result in in_parallel(seeds, focus):
            total.add(result)
            for seed, failure in result.failures.items():
                option = f" --focus {focus}" if focus else ""
                say(f"FAILED seed {seed} at {failure}")
                say(f"  replay: python -m tests.simulation --seed {seed} --trace{option}")
            if total.seeds % PROGRESS_SEEDS == 0:
                say(f"{total.seeds} seeds so far, {len(total.failures)} failed")
    except KeyboardInterrupt:
        say(f"interrupted; the next seed is {seeds.start + total.seeds}")
    report(total, time.monotonic() - started)
    return 1 if total.failures else 0


def report(total: Result, seconds: float) -> None:
    say(f"{total.seeds} seeds, {len(total.failures)} failed, in {seconds:.0f} s")
    say(f"{total.records} records, {total.steps} steps, {total.answers} answers checked")
    for what, count in sorted(total.faults.items()):
        say(f"  {count:8} {what}")
    say("answers degraded, each for a reason that was true (an answer may have several):")
    for what, count in sorted(total.degraded.items()):
        say(f"  {count:8} {100 * count / max(total.answers, 1):5.1f} % {what}")


def replay(seed: int, mutant: str | None, focus: str, *, trace: bool) -> int:
    """One seed, with every step if asked for."""
    world = World(seed, focus=focus, say=say if trace else None)
    try:
        with mutated(mutant):
            world.run()
    except Exception as error:
        say(f"FAILED seed {seed} at step {world.steps}: {describe(error)}")
        return 1
    say(f"seed {seed}: {world.steps} steps, {world.judge.answers} answers checked, all right")
    return 0


def show_mutants(seeds: range) -> int:
    missed = 0
    for mutant, caught in catches(sorted(MUTANTS.keys() - RARE), seeds):
        missed += caught is None
        say(
            f"{mutant}: "
            + (f"seed {caught[0]} at {caught[1][:300]}" if caught else f"NOT CAUGHT by {len(seeds)} seeds")
        )
    return 1 if missed else 0


def say(text: str) -> None:
    OUT.write(f"{text}\n")
    OUT.flush()


if __name__ == "__main__":
    sys.exit(main())
