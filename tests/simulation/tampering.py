"""What is lost or changed behind the system's back: done to every replica at once, and known to the judge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from common.algebra.facts import decode_delta, decode_fact, encode
from common.algebra.marks import MARK_OFFSET
from common.algebra.measures import value
from common.algebra.payloads import Order
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.tables import Tables
from serving_layer.answer.answers import Answer
from tests.simulation.cql import Key
from tests.simulation.pointer import decoded
from tests.simulation.replicas import Cell

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST: Final = 2
"""How often a seed is tampered with."""
CENTS: Final = 7_000_000_000
"""What a changed order's amount differs by: no order of the log has such an amount."""


class Kind(StrEnum):
    """What was tampered with."""

    LOST_DELTA = "lost delta"
    CHANGED_FACT = "changed fact"
    LOST_SLOT_ROW = "lost slot row"


class Tamper(NamedTuple):
    """One cell that is lost, or another than was written."""

    kind: Kind
    customer: str
    table: str
    key: Key
    generation: int
    """Of the speed tables."""
    batch_id: int
    """Of the slot's row; 0 for what is in the speed tables."""
    offset: int
    """The record's."""
    text: str | None
    """What the cell holds now; None where it is lost."""
    counts: bool
    """Whether what the cell said counts for something: a state, or a delta that is not zero."""
    step: int


@dataclass
class Tampering:
    """All that was tampered with, at most once for each customer."""

    world: "World"
    done: list[Tamper] = field(default_factory=list)

    @property
    def customers(self) -> set[str]:
        return {each.customer for each in self.done}

    def act(self) -> None:
        """Something of some customer's is lost or changed, if there is anything that all replicas hold."""
        random, spoilt = self.world.random, self.customers
        found = [each for name in self.world.judge.oracle.mentioned if name not in spoilt for each in self._able(name)]
        kinds = sorted({each.kind for each in found})
        if not kinds or len(self.done) >= MOST:
            return
        kind = random.choice(kinds)
        chosen = random.choice([each for each in found if each.kind == kind])
        self.done.append(chosen)
        self.world.count(f"tampered with: {chosen.kind}")
        self.world.say(f"      {chosen}")
        for replica in self.world.replicas:
            replica.tamper(chosen.table, chosen.customer, chosen.key, chosen.text)
        self.world.touched_table(chosen.table, chosen.customer)

    def stands(self, tamper: Tamper) -> bool:
        """Whether every replica still has it so: a write that was under way may have mended it."""
        cells = self._cells(tamper.table, tamper.customer, tamper.key)
        if tamper.text is None:
            return not any(cells)
        return all(cell is not None and cell.value == tamper.text for cell in cells)

    def spoils(self, answer: Answer, generation: int) -> bool:
        """Whether something that the answer is made of was tampered with."""
        for each in self.done:
            if each.customer != answer.customer_id:
                continue
            batch = answer.provenance.batch
            if each.kind is Kind.LOST_SLOT_ROW:
                if batch is not None and batch.id == each.batch_id:
                    return True
            elif each.generation == generation:
                cut = 0 if batch is None else batch.cut.get(answer.provenance.log.partition, 0)
                if each.kind is Kind.CHANGED_FACT or cut <= each.offset:
                    return True
        return False

    def _cells(self, table: str, customer: str, key: Key) -> list[Cell | None]:
        column = "state" if table.startswith("batch_view") else "value"
        return [replica.held(table, customer).cells.get((key, column)) for replica in self.world.replicas]

    def _able(self, customer: str) -> Iterator[Tamper]:
        pointer = decoded(self.world.pointer)
        tables = Tables(pointer.generation)
        for offset, text in self._everywhere(tables.deltas, customer):
            if offset[0] != MARK_OFFSET and not (delta := decode_delta(text)).is_reset:
                counts = value(delta) != State({})
                yield self._tamper(Kind.LOST_DELTA, customer, tables.deltas, offset, offset[0], None, counts=counts)
        for entity, text in self._everywhere(tables.facts, customer):
            if entity[0] == "order" and isinstance(order := (fact := decode_fact(text)).after.payload, Order):
                changed = replace(fact.after, payload=replace(order, amount=order.amount + CENTS))
                spoilt = encode(replace(fact, after=changed))
                yield self._tamper(Kind.CHANGED_FACT, customer, tables.facts, entity, fact.offset, spoilt)
        slots = [(claim.slot, claim.batch_id) for claim in pointer.claims]
        if pointer.published is not None:
            slots.append((pointer.published.slot, pointer.published.batch_id))
        for slot, batch_id in slots:
            table = Tables.batch_view(slot)
            ids = [replica.held(table, customer).cells.get(((), "batch_id")) for replica in self.world.replicas]
            if all(cell is not None and cell.value == batch_id for cell in ids):
                for key, text in self._everywhere(table, customer):
                    counts = ViewRow.from_json(text).state != State({})
                    made = self._tamper(Kind.LOST_SLOT_ROW, customer, table, key, 0, None, counts=counts)
                    yield made._replace(batch_id=batch_id)

    def _everywhere(self, table: str, customer: str) -> Sequence[tuple[Key, str]]:
        """The cells that all replicas hold, and alike."""
        column = "state" if table.startswith("batch_view") else "value"
        first = self.world.replicas[0].held(table, customer).cells
        keys = [key for key, name in first if name == column and key != ("", "")]
        found = [(key, self._cells(table, customer, key)) for key in sorted(keys)]
        return [(key, cells[0].value) for key, cells in found if cells[0] is not None and len(set(cells)) == 1]

    def _tamper(
        self, kind: Kind, customer: str, table: str, key: Key, offset: int, text: str | None, *, counts: bool = True
    ) -> Tamper:
        generation = decoded(self.world.pointer).generation
        return Tamper(
            kind=kind,
            customer=customer,
            table=table,
            key=key,
            generation=generation,
            batch_id=0,
            offset=offset,
            text=text,
            counts=counts,
            step=self.world.steps,
        )
