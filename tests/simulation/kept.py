"""Requests that are answered by a kept pin of before, at every step beside those that pin for themselves."""

from collections.abc import Awaitable, Sequence
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from serving_layer.read.pins import PinKeeper
from serving_layer.read.store import Pin
from tests.simulation.judge import PAIRS, Asked, Glance, Since, Told
from tests.simulation.process import SETTINGS
from tests.support.builders import AS_OF

if TYPE_CHECKING:
    from tests.simulation.world import World

RATE: Final = 0.1
"""The part of all seeds whose slow readers use a kept pin."""
LOOKED: Final = 0.4
"""The part of all looks at which a keeper is asked."""
RENEWED: Final = (0.2, 0.05)
"""The part of all looks at which each keeper renews its pin: one has a new pin most of the time, and one an old one."""
T = TypeVar("T")


class Keeper:
    """One process of the API: it renews its pin now and then, at once, and answers by it at once."""

    def __init__(self, world: "World") -> None:
        self._world, self._store = world, Glance(world)
        self._pins = PinKeeper(lambda: self._store, SETTINGS.serving, world.loop.time)
        self._answers = Told(lambda: self._store, SETTINGS, lambda: world.loop.now, self._pins)
        self._kept: Pin | None = None
        self._since = Since({}, {})

    def renew(self) -> None:
        self._since = self._world.judge.now()
        self._kept = self._done(self._pins.renew()).pin

    def ask(self, customers: Sequence[str]) -> None:
        """Raises Wrong. What pins past the kept pin is what the judge asks for itself."""
        world, kept = self._world, self._kept
        asked = Asked(world.loop.now, world.judge.now())
        answers = self._done(self._answers.of(customers, AS_OF))
        if kept is not None and self._answers.pin is kept:
            world.count("answered by a kept pin")
            world.judge.check(answers, self._since, kept.pointer, asked)
        else:
            world.count("pinned past a kept pin")

    def _done(self, work: Awaitable[T]) -> T:
        """The result of what asks for nothing but statements that are answered at once."""
        found: list[T] = []

        async def run() -> None:
            found.append(await work)

        task = self._world.loop.create_task(run())
        self._world.loop.drain()
        task.result()
        return found[0]


class Keepers:
    """Two keepers, so that a pin is old while another one is new. `random` is their own, and changes no other draw."""

    def __init__(self, world: "World", random: Random) -> None:
        self._world, self._random = world, random
        self._keepers: list[Keeper] = []

    def look(self, customers: Sequence[str]) -> None:
        """Now and then each renews its pin, and one is asked for one of these customers. Raises Wrong."""
        if not self._keepers:
            self._keepers = [Keeper(self._world) for _ in RENEWED]
        for keeper, rate in zip(self._keepers, RENEWED, strict=True):
            self._world.judge.pair = self._random.choice(PAIRS)
            if self._random.random() < rate:
                keeper.renew()
        self._world.judge.pair = self._random.choice(PAIRS)
        if self._random.random() < LOOKED:
            self._random.choice(self._keepers).ask([self._random.choice(customers)])
