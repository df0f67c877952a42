"""Histories for the logic: images and erasures of a few customers, in log order.

They are written as the cells store an image, and not read from records: what validation accepts is another version's.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, NamedTuple

DAY: Final = 86_400_000_000
LAST: Final = 47_846 * DAY + DAY - 1
"""The last microsecond that validation accepts: 2100-12-31."""
AMOUNTS: Final = (0, 1, 99, 100, 1050, 999_999_999_999)
STATUSES: Final = ("pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled")
PRIORITIES: Final = ("low", "normal", "medium", "high", "urgent")
EVENT_TYPES: Final = ("email_open", "email_click", "campaign_view")
EDGES: Final = (0, 1, DAY - 1, DAY, 19_875 * DAY - 1, 19_875 * DAY, 19_875 * DAY + 1, LAST - 1, LAST)


class Entry(NamedTuple):
    """A record of the log: an entity's image as a cell stores it, or none for the customer's erasure."""

    customer_id: str
    offset: int
    entity_id: str = ""
    image: str | None = None

    def text(self) -> str:
        """The entry on one line, the same for the same entry."""
        return json.dumps(self)


Section = Callable[[Random], Iterator[Entry]]
Payload = dict[str, Any]


def order(order_date: int, amount: int, status: str) -> Payload:
    return {"kind": "order", "order_date": order_date, "amount": amount, "status": status}


def refund(refunded_at: int, amount: int) -> Payload:
    return {"kind": "refund", "order_id": "o1", "refunded_at": refunded_at, "amount": amount}


def ticket(created: int, priority: str, resolved: int | None = None, seconds: int | None = None) -> Payload:
    found = {"kind": "support_ticket", "category": "delivery", "priority": priority, "created_date": created}
    return {**found, "resolved_date": resolved, "resolution_seconds": seconds}


def marketing(event_date: int, event_type: str) -> Payload:
    return {"kind": "marketing_event", "event_type": event_type, "event_date": event_date, "campaign_id": "summer"}


def profile(signed_up: int) -> Payload:
    named = {"kind": "customer_profile", "signed_up_date": signed_up, "birth_date": -7_305 * DAY}
    return {**named, "country": "GB", "segment": "retail"}


def _every_payload(_: Random) -> Iterator[Entry]:
    """Every word of every kind on every edge of a day, each for a customer of its own."""
    found = [order(at, amount, status) for at in EDGES for amount in AMOUNTS for status in STATUSES]
    found += [refund(at, amount) for at in EDGES for amount in AMOUNTS]
    found += [ticket(at, priority) for at in EDGES for priority in PRIORITIES]
    found += [ticket(at, "high", at, 0) for at in EDGES]
    found += [ticket(at, "low", late, (late - at) // 1_000_000) for at in EDGES for late in EDGES if late >= at]
    found += [marketing(at, event_type) for at in EDGES for event_type in EVENT_TYPES]
    for number, payload in enumerate(found):
        yield _entry(f"c{number}", 0, "e1", 1, payload)


def _entry(customer_id: str, offset: int, entity_id: str, version: int, payload: Payload) -> Entry:
    return Entry(customer_id, offset, entity_id, json.dumps({"version": version, "payload": payload}))


def _payload(random: Random) -> Payload:
    at = random.randrange(19_870, 19_876) * DAY + random.randrange(DAY)
    resolved = None if random.randrange(2) else at + random.randrange(3 * DAY)
    seconds = None if resolved is None else (resolved - at) // 1_000_000
    kinds: tuple[Callable[[], Payload], ...] = (
        lambda: order(at, random.choice(AMOUNTS), random.choice((*STATUSES, "cancelled", "cancelled"))),
        lambda: refund(at, random.choice(AMOUNTS)),
        lambda: ticket(at, random.choice(PRIORITIES), resolved, seconds),
        lambda: marketing(at, random.choice(EVENT_TYPES)),
    )
    return random.choice(kinds)()


def _mixed(random: Random, customers: int = 6, erasures: int = 0, back: int = 0) -> Iterator[Entry]:
    """Few entities and few versions: repeats, corrections, cancellations, reopened tickets, stale and equal versions.

    In a hundred records, `erasures` are erasures, and after `back` of them the log is read again from a little before,
    as by a worker that resumes.
    """
    log: list[Entry] = []
    while len(log) < 400:
        customer_id, offset, entity_id = f"c{random.randrange(customers)}", len(log), f"e{random.randrange(4)}"
        if random.randrange(100) < erasures:
            log.append(Entry(customer_id, offset))
        elif log and random.randrange(10) == 0:
            log.append(random.choice(log)._replace(offset=offset))
        else:
            version = offset // 50 + random.randrange(1, 4)
            log.append(_entry(customer_id, offset, entity_id, version, _payload(random)))
        yield log[-1]
        if random.randrange(100) < back:
            yield from log[-random.randrange(1, 30) :]


def _corrected(random: Random) -> Iterator[Entry]:
    """One entity a customer: each pair of payloads, the second with a smaller, an equal and a greater version."""
    for number in range(150):
        kept = _payload(random)
        other = random.choice((kept, _payload(random), {**kept, "status": "cancelled"} if "status" in kept else kept))
        for name, version in (("smaller", 4), ("equal", 5), ("greater", 6)):
            customer_id = f"{name}-{number}"
            yield _entry(customer_id, 2 * number, "e1", 5, kept)
            yield _entry(customer_id, 2 * number + 1, "e1", version, other)


def _taken_back(random: Random) -> Iterator[Entry]:
    """Facts, repeats and retractions of a few versions, profiles among them, in any order."""
    for offset in range(400):
        customer_id, kind = f"c{random.randrange(6)}", random.choice(("order", "support_ticket", "customer_profile"))
        entity_id = customer_id if kind == "customer_profile" else f"{kind}-{random.randrange(2)}"
        at = random.randrange(19_870, 19_873) * DAY
        said = {"order": order(at, 100, "completed"), "support_ticket": ticket(at, "high")}.get(kind, profile(at))
        payload: Payload = {"kind": "retracted", "of": kind} if random.randrange(3) == 0 else said
        yield _entry(customer_id, offset, entity_id, random.randrange(1, 6), payload)


LOGIC: Final[dict[str, Section]] = {
    "every payload": _every_payload,
    "mixed": _mixed,
    "corrected": _corrected,
    "taken back": _taken_back,
    "erased": lambda random: _mixed(random, erasures=5),
    "redelivered": lambda random: _mixed(random, customers=2, back=8),
}
