"""Seeds in ranges, on every core: what came of each, added up."""

import gc
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from multiprocessing import Pool
from typing import Final

from tests.simulation.mutants import FOCUS, mutated
from tests.simulation.world import World

RANGE: Final = 25
"""Seeds that one task runs."""
RANGES: Final = 8
"""Ranges that one process runs."""
RANGE_SECONDS: Final = 600.0


@dataclass
class Result:
    """What some seeds came to; `failures` by seed."""

    seeds: int = 0
    steps: int = 0
    records: int = 0
    answers: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Result") -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.records += other.records
        self.answers += other.answers
        self.faults += other.faults
        self.degraded += other.degraded
        self.failures |= other.failures


def run_seed(seed: int, mutant: str | None = None, focus: str = "") -> Result:
    """One seed, with a mutant of the core or without."""
    world = World(seed, focus=focus)
    result = Result(seeds=1)
    try:
        with mutated(mutant):
            world.run()
    except Exception as error:
        result.failures[seed] = f"step {world.steps}: {describe(error)}"
    result.steps, result.records, result.answers = world.steps, len(world.log.records), world.judge.answers
    result.faults, result.degraded = world.counts, world.judge.degraded
    return result


def describe(error: BaseException) -> str:
    """The error, or the first one in a group of them, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def run_range(seeds: range, focus: str = "") -> Result:
    total = Result()
    for seed in seeds:
        total.add(run_seed(seed, focus=focus))
    return total


def in_parallel(seeds: range, focus: str = "") -> Iterator[Result]:
    """The results of short ranges of the seeds, in order, from one process a core.

    Loops, tasks and futures are rings, 1 MiB a seed: to collect them costs a tenth of the time, so a process ends
    after a few ranges instead. Raises TimeoutError if a range takes longer than any should.
    """
    with Pool(os.cpu_count(), initializer=gc.disable, maxtasksperchild=RANGES) as pool:
        results = pool.imap(partial(run_range, focus=focus), ranges(seeds))
        for _ in ranges(seeds):
            yield results.next(RANGE_SECONDS)


def first_catch(mutant: str, seeds: Iterable[range]) -> tuple[int, str] | None:
    """The first seed that sees the mutant, and what it saw."""
    for some in seeds:
        for seed in some:
            failures = run_seed(seed, mutant, FOCUS.get(mutant, "")).failures
            if failures:
                return seed, failures[seed]
    return None


def catches(mutants: Iterable[str], seeds: range) -> Iterator[tuple[str, tuple[int, str] | None]]:
    """Each mutant with the first of the seeds that sees it, if one does."""
    names = list(mutants)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from zip(names, pool.map(first_catch, names, repeat([seeds])), strict=True)


def ranges(seeds: range) -> list[range]:
    return [seeds[start : start + RANGE] for start in range(0, len(seeds), RANGE)]
