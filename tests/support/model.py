"""Both layers in memory, as small as the contract: dictionaries for tables, one record at a time."""

from collections.abc import Iterable

from common.algebra import facts
from common.algebra.facts import Delta, Fact, Image, Outcome, decide
from common.algebra.measures import contribution
from common.algebra.merge import merge
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.errors import RejectedRecord
from common.log.events import Event, parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from infra.proof.oracle import RawRecord
from tests.support.deltas import changed as changed_delta

RULES = Rules(currency="USD")
Cuts = dict[int, int]


def read(record: RawRecord, partitions: int) -> Event | None:
    """The event of a valid record."""
    try:
        return parse(record.key, record.value, record.partition, partitions, record.appended_at, RULES)
    except RejectedRecord:
        return None


class SpeedTables:
    """R10 and R24 on dictionaries: cells are the real texts; a restart needs nothing but the tables."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.facts: dict[str, dict[tuple[str, str], str]] = {}
        self.deltas: dict[str, dict[int, str]] = {}
        self.resets: dict[str, int] = {}
        self.outcomes: list[Outcome | str] = []

    def apply(self, records: Iterable[RawRecord]) -> "SpeedTables":
        for record in records:
            event = read(record, self.partitions)
            if event is None:
                self.outcomes.append("rejected")
            elif record.offset < self.resets.get(event.customer_id, -1):
                self.outcomes.append(Outcome.SKIPPED)
            elif event.image is None:
                self.outcomes.append("reset")
                self.reset(event.customer_id, record.offset, Delta.reset(record.appended_at, event.origin))
            else:
                self._decide(event, record)
        return self

    def _decide(self, event: Event, record: RawRecord) -> None:
        assert event.image is not None
        key = (event.kind, event.entity_id)
        text = self.facts.get(event.customer_id, {}).get(key)
        outcome, changed = decide(None if text is None else fact(text), event.image, record.offset)
        self.outcomes.append(outcome)
        if changed is not None:
            delta = changed_delta(event.entity_id, changed.before, changed.after, record.appended_at, event.origin)
            self.change(event.customer_id, key, changed, delta)

    def change(self, customer_id: str, key: tuple[str, str], changed: Fact, delta: Delta) -> None:
        """Write a fact and its delta, both at the fact's offset."""
        self.facts.setdefault(customer_id, {})[key] = facts.encode(changed)
        self.deltas.setdefault(customer_id, {})[changed.offset] = facts.encode(delta)

    def reset(self, customer_id: str, offset: int, marker: Delta) -> None:
        """Delete what lies below the offset, and set the marker there; what a replay meets above it stays."""
        self.resets[customer_id] = offset
        cells, deltas = self.facts.get(customer_id, {}), self.deltas.get(customer_id, {})
        self.facts[customer_id] = {key: text for key, text in cells.items() if fact(text).offset >= offset}
        kept = {at: text for at, text in deltas.items() if at >= offset}
        self.deltas[customer_id] = {**kept, offset: facts.encode(marker)}

    def overwritten_by(self, late: "SpeedTables") -> "SpeedTables":
        """R11: cell by cell the greater timestamp (the offset) wins; a reset deletes what lies below it."""
        for customer_id, reset in late.resets.items():
            self.resets[customer_id] = max(reset, self.resets.get(customer_id, -1))
        for customer_id, cells in late.facts.items():
            mine, reset = self.facts.setdefault(customer_id, {}), self.resets.get(customer_id, -1)
            for key, text in cells.items():
                if fact(text).offset > reset and (key not in mine or fact(text).offset >= fact(mine[key]).offset):
                    mine[key] = text
        for customer_id, deltas in late.deltas.items():
            reset = self.resets.get(customer_id, -1)
            self.deltas.setdefault(customer_id, {}).update({o: text for o, text in deltas.items() if o >= reset})
        return self

    def copy(self) -> "SpeedTables":
        made = SpeedTables(self.partitions)
        made.facts = {customer: dict(cells) for customer, cells in self.facts.items()}
        made.deltas = {customer: dict(cells) for customer, cells in self.deltas.items()}
        made.resets = dict(self.resets)
        return made

    def content(self) -> tuple[object, ...]:
        """The tables, without what is empty."""
        return (
            {customer: cells for customer, cells in self.facts.items() if cells},
            {customer: cells for customer, cells in self.deltas.items() if cells},
            self.resets,
        )


def fact(text: str) -> Fact:
    return facts.decode_fact(text)


def batch_rows(records: Iterable[RawRecord], cut: Cuts, partitions: int) -> dict[str, ViewRow]:
    """R16 by definition: of the current facts below the cut the sum of contributions, and the profile."""
    current: dict[str, dict[tuple[str, str], tuple[tuple[int, bool, int], Image]]] = {}
    for record in records:
        event = read(record, partitions) if record.offset < cut.get(record.partition, 0) else None
        if event is None:
            continue
        entities = current.setdefault(event.customer_id, {})
        if event.image is None:
            entities.clear()
            continue
        rank, key = (*event.image.rank, record.offset), (event.kind, event.entity_id)
        if key not in entities or rank > entities[key][0]:
            entities[key] = (rank, event.image)
    return {
        customer: ViewRow(
            State.sum(contribution(image.payload) for _, image in entities.values()),
            next((image for (kind, _), (_, image) in entities.items() if kind == "customer_profile"), None),
        )
        for customer, entities in current.items()
        if entities
    }


def batch_states(records: Iterable[RawRecord], cut: Cuts, partitions: int) -> dict[str, State]:
    """The states of `batch_rows`."""
    return {customer: row.state for customer, row in batch_rows(records, cut, partitions).items()}


def served(batch: dict[str, ViewRow], tables: SpeedTables, customer_id: str, cut: Cuts, end: Cuts) -> ViewRow | None:
    """The batch's row and the deltas in [cut, end), by serving's own merge; none for an unknown customer."""
    partition = partition_of(customer_id, tables.partitions)
    cells = tables.deltas.get(customer_id, {})
    deltas = [(offset, facts.decode_delta(text)) for offset, text in cells.items() if offset < end[partition]]
    merged = merge(batch.get(customer_id), deltas, cut.get(partition, 0))
    return ViewRow(merged.state, merged.image) if merged.known else None
