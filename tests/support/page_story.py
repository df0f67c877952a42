"""What the API holds for the tests of the page: a log of changes, a batch of what lies below its cut, deltas above it.

Slots, deltas, facts and rankings are all made from the same changes, so that the page's parts agree as they do in a
running system.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from batch_layer.gate_report import Finding, GateReport, Severity, Verdict, Window
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.reports import AuditReport
from common.algebra.alerts import LargeRefund
from common.algebra.dates import micros_of
from common.algebra.facts import Delta, Fact, Image, Origin
from common.algebra.measures import contribution
from common.algebra.metrics import RANKED, present
from common.algebra.payloads import (
    MarketingEvent,
    Order,
    Payload,
    Refund,
    Retracted,
    SupportTicket,
    kind_of,
)
from common.algebra.pointer import Pointer, Published
from common.algebra.profile import KIND, CustomerProfile
from common.algebra.rankings import Entry, RankedSlot, RankingKey, Scope
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.log.partition import partition_of
from serving_layer.read.details import RankingRow
from tests.support.live_fakes import MemoryTopic
from tests.support.serving_fakes import NOW, PARTITIONS, MemoryViewStore, published

HOUR: Final = 3_600_000_000
FILES: Final = "file:///data/exports"
AS_OF: Final = date(2024, 6, 30)


def at(text: str) -> int:
    """Returns an ISO day or time, UTC, in microseconds."""
    return micros_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Change:
    """One record that changed its entity."""

    offset: int
    customer: str
    delta: Delta


@dataclass
class PageStory:
    """A log whose offsets are those of every partition, and the store that both layers have filled from it."""

    store: MemoryViewStore = field(default_factory=MemoryViewStore)
    topic: MemoryTopic = field(default_factory=lambda: MemoryTopic(PARTITIONS))
    """Of live deltas: it gets a copy of each change."""
    changes: list[Change] = field(default_factory=list)
    current: dict[tuple[str, str, str], Image] = field(default_factory=dict)
    """The current image by customer, kind and entity."""

    def record(
        self, customer: str, entity_id: str, payload: Payload, version: str, *, file: str = "orders.csv", row: int = 1
    ) -> Change:
        """Appends a record that changes its entity; the speed layer has applied it at once."""
        kind = kind_of(payload)
        key = (customer, kind, entity_id)
        image = Image(at(version), payload)
        offset = len(self.changes)
        delta = Delta(
            kind=kind,
            entity_id=entity_id,
            before=self.current.get(key),
            after=image,
            appended_at=NOW - HOUR * 5 + offset * 1_000_000,
            origin=Origin(f"{FILES}/{file}", row),
        )
        self.current[key] = image
        self.store.put_fact(customer, entity_id, Fact(offset, delta.before, image))
        self.store.put_delta(customer, offset, delta)
        return self._appended(customer, delta)

    def erase(self, customer: str) -> Change:
        """Appends the erasure of a customer."""
        self.current = {key: image for key, image in self.current.items() if key[0] != customer}
        self.store.delta_rows.pop(customer, None)
        self.store.fact_rows.pop(customer, None)
        self.store.put_reset(customer, len(self.changes))
        return self._appended(customer, Delta.reset(NOW))

    def _appended(self, customer: str, delta: Delta) -> Change:
        change = Change(len(self.changes), customer, delta)
        self.changes.append(change)
        self.topic.publish(partition_of(customer, PARTITIONS), change.offset, customer, delta)
        return change

    def publish(self, batch_id: int = 1, slot: str = "a") -> Published:
        """Publishes a batch of all that was recorded until now, and its rankings."""
        views = {customer: self._view(customer) for customer in dict.fromkeys(key[0] for key in self.current)}
        batch = msgspec.structs.replace(published(batch_id, len(self.changes), slot), rows=len(views))
        for customer, view in views.items():
            self.store.put_state(customer, view.state, batch_id, slot, profile=view.profile)
        self.store.pointer = Pointer(batch_id, batch_id, (*self.store.pointer.complete, batch))
        self.store.manifests.insert(0, manifest(batch))
        self.store.ranked[slot] = RankedSlot(batch_id, AS_OF, 1000)
        for customer, view in views.items():
            self._rank(customer, view, batch)
        return batch

    def _view(self, customer: str) -> ViewRow:
        images = {key: image for key, image in self.current.items() if key[0] == customer}
        state = State.sum(contribution(image.payload) for image in images.values())
        return ViewRow(state, images.get((customer, KIND, customer)))

    def _rank(self, customer: str, view: ViewRow, batch: Published) -> None:
        payload = None if view.profile is None else view.profile.payload
        found = payload if isinstance(payload, CustomerProfile) else CustomerProfile(None, None, None, None)
        metrics = present(view.state, AS_OF, found)
        scopes = {(Scope.ALL, ""), (Scope.SEGMENT, found.segment), (Scope.COUNTRY, found.country)}
        for metric in RANKED:
            value = metrics[metric.name]
            for scope, member in scopes:
                if value is not None and member is not None:
                    row = RankingRow(batch.batch_id, Entry(customer, Decimal(value)))
                    key = RankingKey(metric.name, scope, member)
                    self.store.rankings.setdefault((batch.slot, key), []).append(row)


def manifest(batch: Published) -> str:
    """The manifest of a published run as the batch layer stores it, with what gate and audit found."""
    finding = Finding(
        rule="order.total_amount.range",
        kind="order",
        severity=Severity.WARN,
        verdict=Verdict.WARNED,
        measured=0.01,
        limit=0.005,
        failing=2,
        concerned=200,
        text="2 of 200 orders have an amount of zero",
    )
    audit = AuditReport(
        generation=1,
        rows=batch.rows,
        checksum=batch.checksum,
        is_complete=True,
        compared=batch.rows,
        skipped=0,
        facts=12,
        fact_customers=batch.rows,
    )
    run = Manifest(
        batch_id=batch.batch_id,
        slot=batch.slot,
        plan=batch.plan,
        status=Status.PUBLISHED,
        step=Step.FINISH,
        started_at=batch.published_at - 90_000_000,
        finished_at=batch.published_at,
        rows=batch.rows,
        seconds={"archive": 2.5, "load": 9.75, "audit": 4.0},
        gate=GateReport(records=20, window=Window(0, HOUR), score=98.5, findings=(finding,)),
        audit=audit,
    )
    return msgspec.json.encode(run).decode()


def order(day: str, cents: int, status: str = "completed") -> Order:
    return Order(at(day), cents, status)


def ticket(
    day: str, priority: str = "normal", resolved: str | None = None, category: str = "delivery"
) -> SupportTicket:
    end = None if resolved is None else at(resolved)
    seconds = None if end is None else (end - at(day)) // 1_000_000
    return SupportTicket(category, priority, at(day), end, seconds)


def profile(country: str | None = "GB", segment: str | None = "retail") -> CustomerProfile:
    return CustomerProfile(at("2023-01-15"), at("1990-02-28"), country, segment)


def opened(day: str, campaign: str = "summer-24", what: str = "email_open") -> MarketingEvent:
    return MarketingEvent(what, at(day), campaign)


def ada(story: PageStory, customer: str = "ada", text: str = "summer-24") -> None:
    """Records a customer of whom batch 1 knows much, and of whom much changed since.

    `text` stands wherever a record may hold a text.
    """
    story.record(customer, customer, profile(segment=text), "2024-01-01", file="profiles.csv")
    for month in range(1, 13):
        story.record(customer, f"o{month}", order(f"2023-{month:02}-05", month * 1000 + 99), f"2023-{month:02}-05")
    for month in range(1, 7):
        story.record(customer, f"p{month}", order(f"2024-{month:02}-11", 4500), f"2024-{month:02}-11", row=month)
    story.record(customer, "t1", ticket("2024-06-05", resolved="2024-06-06"), "2024-06-06", file="tickets.jsonl")
    story.record(customer, "t2", ticket("2024-06-20", "high", category=text), "2024-06-20", file="tickets.jsonl")
    for day in ("02", "09", "16"):
        story.record(customer, f"e{day}", opened(f"2024-06-{day}", text), f"2024-06-{day}", file="emails.parquet")
    story.record(customer, "e17", opened("2024-06-16", text, "email_click"), "2024-06-16", file="emails.parquet")
    story.publish()
    story.record(customer, "p6", order("2024-06-11", 5000), "2024-06-29", file="changes.csv", row=3)
    story.record(customer, "o9", order("2023-09-05", 9099, "cancelled"), "2024-06-29", file="changes.csv", row=4)
    story.record(customer, "p2", taken_back("order"), "2024-06-29", file="changes.csv", row=5)
    back = story.record(customer, text, Refund("p6", at("2024-06-29T15:30:00"), 2500), "2024-06-29", file="refunds.csv")
    story.store.put_alert(customer, back.offset, LargeRefund(at("2024-06-29T15:30:00"), text, "p6", 2500, 2000))
    story.record(customer, "t3", ticket("2024-06-29T09:00:00", "urgent"), "2024-06-29", file="tickets.jsonl", row=7)


def taken_back(kind: str) -> Retracted:
    return Retracted(kind)


def others(story: PageStory, count: int = 12) -> None:
    """Records customers with one order each, the first of the greatest amount; one of them is at risk."""
    for number in range(count):
        name = f"customer-{number:02}"
        story.record(name, name, profile("DE" if number % 2 else "GB", "gift"), "2024-01-01", file="profiles.csv")
        story.record(name, f"q{number}", order("2024-05-01", (count - number) * 10_000), "2024-05-01")
    for number in range(3):
        story.record("customer-02", f"u{number}", ticket(f"2024-06-1{number}", "high"), f"2024-06-1{number}")
