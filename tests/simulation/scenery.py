"""What a seed is made of: the log's records, drawn so that they collide, and how much of each fault there is."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from infra.proof.oracle import RawRecord
from tests.support.builders import Log, Message, erasure, marketing, order, profile, refund, retraction, ticket
from tests.support.poison import POISONS

PARTITIONS: Final = 2
CUSTOMERS: Final = ("ada", "bob", "cy", "dee")
_STATUSES: Final = ("completed", "completed", "shipped", "cancelled")
_SPOILED: Final = [poison for poison in POISONS if poison.name != "too deep"]


@dataclass(frozen=True, slots=True)
class Profile:
    """How often what goes wrong, in one seed: some seeds are calm, and show what else they do the clearer."""

    records: int
    write_timeouts: float
    read_timeouts: float
    late: float
    torn_reads: float
    publish_failures: float
    kafka_failures: float
    crashes: float
    freezes: float
    rebalances: float
    batches: float
    readers: float
    expiry: bool
    erasures: float
    rebuilds: float
    tampering: float
    losses: float = 0.0
    kept: float = 0.0
    """Whether slow readers use a kept pin, which they hold for a while."""
    skips: float = 0.0
    """How likely a rebuild has its workers go on at the current batch's cut, and the first ones begin there."""

    @classmethod
    def drawn(cls, random: Random, focus: str = "") -> "Profile":
        """A seed's profile; see `FOCUSES` for those that have plenty of something."""

        def sometimes(*rates: float) -> float:
            return random.choice((0.0, *rates))

        drawn = cls(
            records=random.randint(15, 40),
            write_timeouts=sometimes(0.1, 0.3),
            read_timeouts=sometimes(0.05, 0.2),
            late=random.choice((0.1, 0.5)),
            torn_reads=sometimes(0.2, 0.6),
            publish_failures=sometimes(0.1, 0.3),
            kafka_failures=sometimes(0.1),
            crashes=sometimes(0.5, 1.0),
            freezes=sometimes(0.5, 1.0),
            rebalances=sometimes(0.5, 1.0),
            batches=sometimes(1.0, 2.0),
            readers=sometimes(1.0),
            expiry=random.random() < 0.15,
            erasures=sometimes(0.03, 0.08),
            rebuilds=random.choice((0.0, 0.0, 0.3, 0.6)),
            tampering=random.choice((0.0, 0.0, 0.0, 1.0)),
        )
        return replace(drawn, **FOCUSES[focus])  # type: ignore[arg-type] # they are the fields' own

    def calm(self) -> "Profile":
        """The same without any fault."""
        return replace(self, expiry=False, **dict.fromkeys(FAULTS, 0.0))  # type: ignore[arg-type] # all are rates


FAULTS: Final = (
    *("write_timeouts", "read_timeouts", "late", "torn_reads", "publish_failures", "kafka_failures"),
    *("crashes", "freezes", "rebalances", "batches", "readers", "rebuilds", "tampering", "losses"),
)
FOCUSES: Final[dict[str, dict[str, object]]] = {
    "": {},
    "readers": {"readers": 3.0, "torn_reads": 0.8, "late": 0.5, "write_timeouts": 0.1, "expiry": False},
    "publishing": {"publish_failures": 0.5, "crashes": 2.0, "expiry": False, "erasures": 0.0},
    "timeouts": {
        "records": 25,
        "write_timeouts": 0.7,
        "crashes": 2.0,
        "rebalances": 0.5,
        "erasures": 0.15,
        **dict.fromkeys(("read_timeouts", "torn_reads", "kafka_failures", "publish_failures"), 0.0),
        "freezes": 0.0,
        "batches": 0.0,
        "readers": 0.0,
        "rebuilds": 0.0,
        "tampering": 0.0,
        "expiry": False,
    },
    "erasures": {"batches": 2.0, "erasures": 0.08, "expiry": False},
    "rebuilds": {"rebuilds": 0.7, "batches": 2.0, "expiry": False},
    "tampering": {"tampering": 1.0, "batches": 2.0, "expiry": False},
    "losses": {"losses": 1.0, "batches": 1.0, "expiry": False},
    "kept": {"kept": 1.0, "readers": 3.0, "torn_reads": 0.6, "batches": 2.0, "rebuilds": 0.3, "expiry": False},
    "expiry": {"expiry": True, "freezes": 1.0, "batches": 1.0},
    "skips": {"skips": 0.7, "rebuilds": 0.7, "batches": 2.0, "expiry": False},
}
"""What a run can ask for plenty of: slow readers, copies on their way, writes that one replica alone took from
a worker that is gone, erasures beside batches, time that passes while nobody works, new generations, what is lost
behind the system's back, what the log itself loses, readers whose pin is old, or workers that skip to a batch's cut.
"""


def messages(random: Random, profile: Profile) -> Iterator[Message]:
    """Few customers with few entities: repeats, corrections, stale and equal versions, erasures and poison."""
    said: list[Message] = []
    customers = CUSTOMERS[: random.randint(2, 4)]
    for _ in range(profile.records):
        customer = random.choice(customers)
        draw = random.random()
        if said and draw < 0.12:
            yield random.choice(said[-12:])
        elif draw < 0.12 + profile.erasures:
            yield erasure(customer)
        else:
            message = _entity(random, customer)
            said.append(message)
            yield Message(*random.choice(_SPOILED).spoil(*message[:2], PARTITIONS)) if draw > 0.96 else message


def _entity(random: Random, customer: str) -> Message:
    """A version of one of the customer's few entities, or its retraction."""
    whole = _whole(random, customer)
    return retraction(whole, f"2024-07-0{random.randint(1, 5)}") if random.random() < 0.12 else whole


def _whole(random: Random, customer: str) -> Message:
    day, version = f"2024-06-{random.randint(1, 28):02}", f"2024-07-0{random.randint(1, 5)}"
    kind = random.random()
    if kind < 0.4:
        amount = f"{random.randrange(1000)}.{random.randrange(100):02}"
        return order(customer, f"o{random.randrange(3)}", day, amount, random.choice(_STATUSES), version)
    if kind < 0.5:
        return profile(customer, version, day, segment=random.choice(("retail", "trade")))
    if kind < 0.8:
        priority, resolved = random.choice(("low", "high", "urgent")), random.choice((None, None, "2024-06-29"))
        return ticket(customer, f"t{random.randrange(5)}", day, priority, resolved, version)
    if kind < 0.9:
        return refund(customer, f"r{random.randrange(3)}", day, random.choice(("5.00", "499.99", "500.00", "900.00")))
    return marketing(customer, f"e{random.randrange(2)}", day, random.choice(("email_open", "email_click")))


class SimLog(Log):
    """A log whose records are appended at virtual times."""

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self.now = 0
        self._by_partition: dict[int, list[RawRecord]] = {partition: [] for partition in range(PARTITIONS)}

    def append_at(self, message: Message, now: int) -> RawRecord:
        """The new record, at the end of its partition; Kafka's times are milliseconds."""
        (added,) = self.append(message)
        added = added._replace(appended_at=now - now % 1000)
        self.records[-1] = added
        self._by_partition[added.partition].append(added)
        return added

    def from_offset(self, partition: int, offset: int) -> list[RawRecord]:
        records = self._by_partition[partition]
        return records[bisect_left(records, offset, key=lambda record: record.offset) :]

    def appended_before(self, at: int) -> dict[int, int]:
        """By partition the first offset that was appended at or after `at`; the end where there is none."""
        return {
            partition: next((r.offset for r in records if r.appended_at >= at), self.next_offsets[partition])
            for partition, records in self._by_partition.items()
        }
