"""What stands in for Cassandra and for the log in the speed layer's tests, and the fold they are compared with."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from common.algebra.alerts import (
    Alert,
    CustomerAtRisk,
    LargeRefund,
    TicketEvidence,
    decode_alert,
    encode_alert,
    rule_of,
)
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Delta, Fact, Image, decode_delta, decode_fact, encode
from common.algebra.payloads import Refund, SupportTicket
from common.errors import RejectedRecord, StoreUnavailable
from common.log.events import parse
from common.log.normalizing import Rules
from common.servers.breaker import Breaker
from common.servers.retry import Retry
from infra.proof.oracle import RawRecord
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.cache import FactCache
from speed_layer.apply.decide import Applied, apply
from speed_layer.apply.known import Known
from speed_layer.apply.lanes import Start
from speed_layer.apply.ports import Wanted
from speed_layer.apply.rows import EntityKey, Mutation, Placed, Reset, Stored
from tests.support.deltas import changed

RULES = Rules("USD")
ALERTS = AlertSettings(large_refund_cents=5_000)


def retry(*, threshold: int = 1_000_000, recovery_seconds: float = 0.0) -> Retry:
    """A retry without pauses, whose breaker stays closed unless told otherwise."""
    return Retry(Breaker("server", threshold, recovery_seconds), 0, 0)


def start(offset: int) -> Start:
    """A lane's start, with every delta from there on alive."""
    return Start(offset, offset, "v1", 0)


Cells = dict[tuple[str, ...], tuple[str, int]]
"""Live cells by table and primary key: value and write timestamp."""


def placed(records: Iterable[RawRecord], partitions: int = 4) -> dict[str, list[Placed]]:
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
                cells["deltas", customer_id, str(at)] = encode(Delta.reset(record.appended_at, record.event.origin)), at
                continue
            _, _, current = facts.get(record.entity, (0, None, None))
            if current is not None and (image.rank < current.rank or image == current):
                continue
            facts[record.entity] = (at, current, image)
            alerts = _alerts(record, current, {key[1]: fact[2] for key, fact in facts.items()})
            cells["facts", customer_id, *record.entity] = encode(Fact(at, current, image, alerts)), at
            for alert in alerts:
                cells["alerts", customer_id, str(at), rule_of(alert)] = encode_alert(alert), at
            delta = changed(record.event.entity_id, current, image, record.appended_at, record.event.origin)
            cells["deltas", customer_id, str(at)] = encode(delta), at
    return cells


def _alerts(record: Placed, before: Image | None, images: dict[str, Image]) -> tuple[Alert, ...]:
    """The rules of `architecture.md` once more, in plain steps; `images` are the current ones by entity id."""
    new = record.event.image.payload if record.event.image else None
    if before is not None or new is None:
        return ()
    if isinstance(new, Refund) and new.amount >= ALERTS.large_refund_cents:
        return (LargeRefund(new.refunded_at, record.event.entity_id, new.order_id, new.amount, 5_000),)
    if not isinstance(new, SupportTicket):
        return ()
    day, recent = new.created_date // MICROS_PER_DAY, []
    for ticket_id, image in images.items():
        ticket = image.payload
        if isinstance(ticket, SupportTicket) and 0 <= day - ticket.created_date // MICROS_PER_DAY <= 30:
            recent.append((-(ticket.created_date // MICROS_PER_DAY), ticket_id, ticket.priority))
    high = [ticket for ticket in recent if ticket[2] in ("high", "urgent")]
    if len(recent) < 3 and len(high) < 2:
        return ()
    reason = f"{len(recent)} tickets in 30 days, {len(high)} high priority"
    evidence = tuple(TicketEvidence(ticket_id, -minus, priority) for minus, ticket_id, priority in sorted(recent)[:20])
    said = (new.created_date, record.event.entity_id, "proactive_outreach", reason)
    return (CustomerAtRisk(*said, len(recent), len(high), evidence),)


@dataclass
class MemoryFactStore:
    """Tables with write timestamps, as Cassandra keeps them: the greater one wins, on a tie a delete, then the value.

    With `random`, each call yields to others for a while, and with `unreliable`, writes may fail, done or not.
    """

    random: Random | None = None
    unreliable: float = 0.0
    cells: Cells = field(default_factory=dict)
    deleted: dict[tuple[str, ...], int] = field(default_factory=dict)
    reads: int = 0
    writes: list[tuple[str, Mutation]] = field(default_factory=list)

    def groups(self, customers: Iterable[str]) -> Iterable[Sequence[str]]:
        """All together; with `random`, in groups of some."""
        left = list(customers)
        while left:
            size = len(left) if self.random is None else self.random.randint(1, len(left))
            yield left[:size]
            del left[:size]

    async def read(self, wanted: Sequence[Wanted]) -> Sequence[Known]:
        return await asyncio.gather(*(self.get(*each) for each in wanted))

    async def write(self, mutations: Sequence[tuple[str, Mutation]]) -> None:
        assert len(dict(mutations)) == len(mutations), mutations
        await asyncio.gather(*(self.put(*each) for each in mutations))

    async def get(
        self, customer_id: str, entities: Collection[EntityKey], kinds: Collection[str], whole: bool
    ) -> Known:
        """Read of one customer."""
        await self._pause()
        self.reads += 1
        known = Known(facts=dict.fromkeys(entities), complete=frozenset(kinds))
        stored = {key[2:]: cell for key, cell in self.live().items() if key[:2] == ("facts", customer_id)}
        if ("", "") in stored:
            known.reset_offset = int(stored.pop(("", ""))[0])
        for (kind, entity_id), (value, _) in stored.items():
            if kind in kinds or (kind, entity_id) in entities:
                known.facts[kind, entity_id] = decode_fact(value)
        return known

    async def rows(self, customer_id: str, offsets: Collection[int]) -> list[Stored]:
        await self._pause()
        alerts: dict[int, list[Alert]] = {}
        live = {key: value for key, (value, _) in self.live().items() if key[1] == customer_id}
        for key, value in sorted(live.items()):
            if key[0] == "alerts":
                alerts.setdefault(int(key[2]), []).append(decode_alert(value))
        deltas = {
            at: live["deltas", customer_id, str(at)] for at in offsets if ("deltas", customer_id, str(at)) in live
        }
        return [Stored(at, decode_delta(text), tuple(alerts.get(at, ()))) for at, text in sorted(deltas.items())]

    async def put(self, customer_id: str, mutation: Mutation) -> None:
        """Write one mutation."""
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
            for table in ("facts", "deltas", "alerts"):
                key = table, customer_id
                self.deleted[key] = max(self.deleted.get(key, -2), mutation.offset - 1)
            self._put(("facts", customer_id, "", ""), str(mutation.offset), mutation.offset)
            self._put(("deltas", customer_id, str(mutation.offset)), encode(mutation.delta), mutation.offset)
            return
        for change in mutation:
            at = change.fact.offset
            self._put(("facts", customer_id, *change.entity), encode(change.fact), at)
            self._put(("deltas", customer_id, str(at)), encode(change.delta), at)
            for alert in change.alerts:
                self._put(("alerts", customer_id, str(at), rule_of(alert)), encode_alert(alert), at)

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


class AwayFactStore(MemoryFactStore):
    """A store whose writes fail, once told to: with StoreUnavailable, as a retry would see it."""

    away = False

    async def put(self, customer_id: str, mutation: Mutation) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await super().put(customer_id, mutation)


async def apply_one(store: MemoryFactStore, cache: FactCache, customer_id: str, records: Sequence[Placed]) -> Applied:
    """Apply the records of one customer."""
    return (await apply(store, cache, {customer_id: records}, ALERTS))[customer_id]
