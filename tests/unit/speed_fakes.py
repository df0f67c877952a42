"""What stands in for Cassandra and for the log in the speed layer's tests, and the fold they are compared with."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from random import Random

from common.errors import RejectedRecord, StoreUnavailable
from common.events import Rules, parse
from common.facts import Delta, Fact, Image, encode
from speed_layer.apply import EntityKey, Known, Mutation, Placed, Reset
from tests.oracle import Record

RULES = Rules("USD")
Cells = dict[tuple[str, ...], tuple[str, int]]
"""Live cells by table and primary key: value and write timestamp."""


def placed(records: Iterable[Record], partitions: int = 4) -> dict[str, list[Placed]]:
    """The valid records of each customer, in offset order."""
    found: dict[str, list[Placed]] = {}
    for record in records:
        try:
            event = parse(record.key, record.value, record.partition, partitions, record.appended_at, RULES)
        except RejectedRecord:
            continue
        found.setdefault(event.customer_id, []).append(Placed(record.offset, record.appended_at, event))
    return found


def fold(customers: dict[str, list[Placed]]) -> Cells:
    """The cells that R4, R9 and R24 ask for, the slow way: each record in turn, one customer after the other."""
    cells: Cells = {}
    for customer_id, records in customers.items():
        facts: dict[EntityKey, tuple[int, Image | None, Image]] = {}
        for record in records:
            at, image = record.offset, record.event.image
            if image is None:
                cells = {key: cell for key, cell in cells.items() if key[1] != customer_id}
                facts.clear()
                cells["facts", customer_id, "", ""] = str(at), at
                cells["deltas", customer_id, str(at)] = encode(Delta("", None, None, record.appended_at)), at
                continue
            _, _, current = facts.get(record.entity, (0, None, None))
            if current is not None and (image.version < current.version or image == current):
                continue
            facts[record.entity] = (at, current, image)
            cells["facts", customer_id, *record.entity] = encode(Fact(at, current, image)), at
            delta = Delta(record.event.entity_id, current, image, record.appended_at)
            cells["deltas", customer_id, str(at)] = encode(delta), at
    return cells


@dataclass
class MemoryStore:
    """Tables with write timestamps, as Cassandra keeps them: the greater one wins, on a tie a delete, then the value.

    With `random`, each call yields to others for a while, and with `unreliable`, writes may fail, done or not.
    """

    random: Random | None = None
    unreliable: float = 0.0
    cells: Cells = field(default_factory=dict)
    deleted: dict[tuple[str, ...], int] = field(default_factory=dict)
    reads: int = 0
    writes: list[tuple[str, Mutation]] = field(default_factory=list)

    async def read(self, customer_id: str, entities: Collection[EntityKey], *, whole: bool) -> Known:
        await self._pause()
        self.reads += 1
        known = Known(facts=dict.fromkeys(entities))
        stored = {key[2:]: cell for key, cell in self.live().items() if key[:2] == ("facts", customer_id)}
        if ("", "") in stored:
            known.reset_offset = int(stored["", ""][0])
        for kind, entity_id in entities:
            if (kind, entity_id) in stored:
                known.facts[kind, entity_id] = decode(stored[kind, entity_id][0])
        return known

    async def write(self, customer_id: str, mutation: Mutation) -> None:
        while True:
            await self._pause()
            fails = self.random is not None and self.random.random() < self.unreliable
            if not fails or self.random is None or self.random.random() < 0.5:
                self._apply(customer_id, mutation)
            if not fails:
                self.writes.append((customer_id, mutation))
                return

    def _apply(self, customer_id: str, mutation: Mutation) -> None:
        if isinstance(mutation, Reset):
            for table in ("facts", "deltas"):
                key = table, customer_id
                self.deleted[key] = max(self.deleted.get(key, -2), mutation.offset - 1)
            self._put(("facts", customer_id, "", ""), str(mutation.offset), mutation.offset)
            self._put(("deltas", customer_id, str(mutation.offset)), encode(mutation.delta), mutation.offset)
            return
        for change in mutation:
            at = change.fact.offset
            self._put(("facts", customer_id, *change.entity), encode(change.fact), at)
            self._put(("deltas", customer_id, str(at)), encode(change.delta), at)

    def _put(self, key: tuple[str, ...], value: str, at: int) -> None:
        old = self.cells.get(key)
        if old is None or (at, value) > (old[1], old[0]):
            self.cells[key] = value, at

    def live(self) -> Cells:
        """What a reader sees."""
        return {key: cell for key, cell in self.cells.items() if cell[1] > self.deleted.get(key[:2], -2)}

    async def _pause(self) -> None:
        for _ in range(0 if self.random is None else self.random.randrange(4)):
            await asyncio.sleep(0)


class AwayStore(MemoryStore):
    """A store whose writes fail, once told to: with StoreUnavailable, as a retry would see it."""

    away = False

    async def write(self, customer_id: str, mutation: Mutation) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await super().write(customer_id, mutation)


def decode(text: str) -> Fact:
    """A fact from its cell."""
    from common.facts import decode_fact

    return decode_fact(text)
