"""Builders: messages of every type in one call each, a log in memory, and seeded random logs with everything in them.

log = Log(partitions=4)
log.append(order("ada", "o1", "2024-05-01", "12.50"), ticket("ada", "t1"), erasure("ada"))
log.records, log.next_offsets                   # raw records as Kafka would give them

for message in random_messages(seed=1, count=500): produce(message.key, message.value, message.partition)
random_log(seed=1, count=500).records           # the same messages as raw records
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Final, NamedTuple

from common.log.partition import partition_of
from infra.proof.oracle import RawRecord
from tests.support.poison import POISONS

AS_OF: Final = date(2024, 6, 30)
"""The day that the random logs lie around."""
APPENDED_AT: Final = 1_719_800_000_000_000
"""The append time of a log's first record, in microseconds: 2024-07-01."""
ORDER_STATUSES: Final = ("pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled")
PRIORITIES: Final = ("low", "normal", "medium", "high", "urgent")
EVENT_TYPES: Final = ("email_open", "email_click", "campaign_view")


class Message(NamedTuple):
    """What a producer sends; `partition` is stated only where it is not the key's own."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None


def record(type_: str, customer_id: str, time: str, data: dict[str, object], **envelope: object) -> Message:
    """A message of any type; `envelope` overrides or adds attributes."""
    attributes = {
        "specversion": "1.0",
        "id": f"{type_}/{customer_id}/{time}",
        "source": "tests",
        "type": type_,
        "subject": customer_id,
        "time": time,
        "data": data,
    } | envelope
    return Message(customer_id.encode(), json.dumps(attributes, ensure_ascii=False).encode())


def order(
    customer_id: str = "ada",
    order_id: str = "o1",
    order_date: str = "2024-06-01",
    total_amount: str = "10.00",
    status: str = "completed",
    updated_at: str | None = None,
    **more: object,
) -> Message:
    """An order, its `updated_at` its own date unless given; `more` overrides or adds data fields."""
    data = {"order_id": order_id, "customer_id": customer_id, "order_date": order_date, "total_amount": total_amount}
    data |= {"status": status, "updated_at": updated_at or order_date}
    return record("order.recorded", customer_id, order_date, {**data, **more})


def refund(
    customer_id: str = "ada",
    refund_id: str = "r1",
    refunded_at: str = "2024-06-02",
    amount: str = "5.00",
    order_id: str = "o1",
    **more: object,
) -> Message:
    """A refund; `more` overrides or adds data fields."""
    data = {"refund_id": refund_id, "order_id": order_id, "customer_id": customer_id, "refunded_at": refunded_at}
    return record("refund.recorded", customer_id, refunded_at, {**data, "amount": amount, **more})


def ticket(
    customer_id: str = "ada",
    ticket_id: str = "t1",
    created_date: str = "2024-06-03",
    priority: str = "normal",
    resolved_date: str | None = None,
    updated_at: str | None = None,
    category: str = "delivery",
    **more: object,
) -> Message:
    """A support ticket, open unless resolved, updated when resolved or created unless said otherwise."""
    data = {"ticket_id": ticket_id, "customer_id": customer_id, "created_date": created_date, "category": category}
    data |= {"priority": priority, "updated_at": updated_at or resolved_date or created_date}
    resolved = {} if resolved_date is None else {"resolved_date": resolved_date}
    return record("support_ticket.recorded", customer_id, created_date, {**data, **resolved, **more})


def marketing(
    customer_id: str = "ada",
    event_id: str = "e1",
    event_date: str = "2024-06-04",
    event_type: str = "email_open",
    campaign_id: str = "summer",
    **more: object,
) -> Message:
    """A marketing event; `more` overrides or adds data fields."""
    data = {"event_id": event_id, "customer_id": customer_id, "event_type": event_type, "event_date": event_date}
    return record("marketing_event.recorded", customer_id, event_date, {**data, "campaign_id": campaign_id, **more})


def profile(
    customer_id: str = "ada", updated_at: str = "2024-06-05", signed_up_date: str | None = "2023-01-15", **more: object
) -> Message:
    """A customer's profile; `more` overrides or adds data fields."""
    data: dict[str, object] = {"customer_id": customer_id, "updated_at": updated_at, "birth_date": "1990-02-28"}
    data |= {"signed_up_date": signed_up_date, "country": "GB", "segment": "retail"}
    return record("customer_profile.recorded", customer_id, updated_at, {**data, **more})


ENTITY_IDS: Final = {
    "order.recorded": "order_id",
    "refund.recorded": "refund_id",
    "support_ticket.recorded": "ticket_id",
    "marketing_event.recorded": "event_id",
    "customer_profile.recorded": "customer_id",
}
"""By type the field that names the entity."""


def retraction(of: Message, updated_at: str = "2024-07-05", **more: object) -> Message:
    """The entity of a valid message taken back: its ids and `updated_at`; `more` overrides or adds data fields."""
    content = json.loads(of.value or b"")
    data, name = content["data"], ENTITY_IDS[content["type"]]
    ids = {name: data[name], "customer_id": data["customer_id"]}
    taken_back = {**ids, "updated_at": updated_at, "retracted": True}
    return record(content["type"], data["customer_id"], updated_at, {**taken_back, **more})


def erasure(customer_id: str = "ada", time: str = "2024-06-30") -> Message:
    """The demand to forget a customer."""
    return record("customer.erased", customer_id, time, {"customer_id": customer_id})


class Log:
    """A log in memory: each message goes to its key's own partition, or the one it states, a millisecond apart."""

    def __init__(self, partitions: int = 4, appended_at: int = APPENDED_AT) -> None:
        self.partitions = partitions
        self.records: list[RawRecord] = []
        self.next_offsets = dict.fromkeys(range(partitions), 0)
        self._appended_at = appended_at

    def append(self, *messages: Message) -> list[RawRecord]:
        """The new records, at the end of their partitions."""
        return [self._append(message) for message in messages]

    def skip(self, partition: int, count: int = 1) -> None:
        """A gap of `count` offsets, as an aborted transaction leaves it."""
        self.next_offsets[partition] += count

    def _append(self, message: Message) -> RawRecord:
        partition = message.partition
        if partition is None:
            partition = partition_of((message.key or b"").decode("utf-8", "replace"), self.partitions)
        offset = self.next_offsets[partition]
        added = RawRecord(partition, offset, message.key, message.value, self._appended_at + 1000 * len(self.records))
        self.next_offsets[partition] = offset + 1
        self.records.append(added)
        return added


def random_log(seed: int, count: int = 300, *, partitions: int = 4, customers: int = 8, gaps: bool = True) -> Log:
    """The messages of `random_messages` in a log, with gaps in its offsets."""
    log, random = Log(partitions), Random(seed)
    for message in random_messages(seed, count, customers=customers, partitions=partitions):
        if gaps and random.random() < 0.02:
            log.skip(random.randrange(partitions), random.randint(1, 3))
        log.append(message)
    return log


def random_messages(
    seed: int,
    count: int = 300,
    *,
    customers: int = 8,
    partitions: int = 4,
    poison: float = 0.06,
    erasures: float = 0.01,
) -> Iterator[Message]:
    """A seeded mix: few entities met again and again, so that stale and equal versions, corrections, cancellations,
    late events, verbatim repeats, erasures and poison of every kind all occur.
    """
    random = Random(seed)
    said: deque[Message] = deque(maxlen=40)
    for number in range(count):
        customer_id = f"c{seed}-{random.randrange(customers)}"
        if said and random.random() < 0.1:
            yield random.choice(said)
            continue
        if random.random() < erasures:
            yield erasure(customer_id)
            continue
        message = random_entity(random, customer_id)
        if random.random() < poison:
            yield Message(*POISONS[number % len(POISONS)].spoil(message.key, message.value, partitions))
        else:
            said.append(message)
            yield message


def random_entity(random: Random, customer_id: str) -> Message:
    """A version of one of the customer's few entities, or its retraction."""
    if random.random() < 0.08:
        return _random_retraction(random, customer_id)
    return random.choice(ENTITIES)(random, customer_id)


def _day(random: Random, least: int = -120, most: int = 5) -> str:
    return str(AS_OF + timedelta(days=random.randint(least, most)))


def _moment(random: Random, least: int = -120, most: int = 5) -> str:
    day = _day(random, least, most)
    if random.random() < 0.3:
        return day
    zone = random.choice(("Z", "z", "+14:00", "-12:00", "+05:30"))
    return (
        f"{day}T{random.randrange(24):02}:{random.randrange(60):02}:{random.choice(('00', '59.999999', '07.5'))}{zone}"
    )


def _version(random: Random) -> str:
    return f"2024-07-0{random.randint(1, 5)}T00:00:00Z"


def _amount(random: Random) -> str:
    return random.choice(("0", "0.5", "0.01", "9999999999.99", f"{random.randrange(1000)}.{random.randrange(100):02}"))


def _random_order(random: Random, customer_id: str) -> Message:
    entity_id, status = (f"o{random.randrange(4)}", random.choice((*ORDER_STATUSES, "cancelled")))
    return order(customer_id, entity_id, _moment(random), _amount(random), status, _version(random))


def _random_refund(random: Random, customer_id: str) -> Message:
    return refund(customer_id, f"r{random.randrange(3)}", _moment(random), _amount(random), currency="USD")


def _random_ticket(random: Random, customer_id: str) -> Message:
    created, resolved = (_moment(random, -60, -5), random.choice((None, _moment(random, -3, 3))))
    entity_id, priority = f"t{random.randrange(6)}", random.choice(PRIORITIES)
    return ticket(customer_id, entity_id, created, priority, resolved, _version(random))


def _random_marketing(random: Random, customer_id: str) -> Message:
    return marketing(customer_id, f"e{random.randrange(8)}", _moment(random, -45, 3), random.choice(EVENT_TYPES))


def _random_profile(random: Random, customer_id: str) -> Message:
    signed_up = random.choice((None, _moment(random, -900, 3)))
    born = random.choice((None, "1850-01-01", "1969-12-31", "1996-02-29", "2000-06-30", "2030-01-01"))
    country, segment = random.choice((None, "GB", "JP")), random.choice((None, "retail", 'a "b" \\ c', "☃ grün"))
    more = {"birth_date": born, "country": country, "segment": segment}
    return profile(customer_id, _version(random), signed_up, **more)


def _random_retraction(random: Random, customer_id: str) -> Message:
    of = random.choice(ENTITIES)(random, customer_id)
    return retraction(of, _version(random))


ENTITIES: Final[tuple[Callable[[Random, str], Message], ...]] = (
    _random_order,
    _random_refund,
    _random_ticket,
    _random_marketing,
    _random_profile,
)


def by_partition(records: Iterable[RawRecord]) -> dict[int, list[RawRecord]]:
    """The records of each partition, in offset order."""
    found: dict[int, list[RawRecord]] = {}
    for each in sorted(records, key=lambda each: (each.partition, each.offset)):
        found.setdefault(each.partition, []).append(each)
    return found
