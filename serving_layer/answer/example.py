"""A made-up customer for the examples of the OpenAPI document: answered by the code that answers. Knows no route."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Final

from common.algebra.cut import Cut
from common.algebra.dates import micros_of
from common.algebra.facts import Delta, Image, Origin, encode
from common.algebra.measures import contribution
from common.algebra.merge import Parts
from common.algebra.payloads import Order
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.profile import CustomerProfile
from common.algebra.view_row import ViewRow
from common.log.partition import partition_of
from common.progress import Progress
from common.settings import ServingSettings, Settings
from serving_layer.answer.answers import Answer, answer_of, parts_of
from serving_layer.answer.provenance import Release, batch_info, condition
from serving_layer.read.reading import Reading
from serving_layer.read.store import Pin, SlotRow

DAY: Final = date(2026, 11, 23)
NOW: Final = micros_of(datetime(2026, 11, 23, 12, tzinfo=UTC))
CUSTOMER: Final = "00001"
PARTITIONS: Final = 4
CUT: Final = 120
SETTINGS: Final = Settings()
_LATE_SECONDS: Final = 125


@cache
def answer(*, late: bool = False) -> tuple[Answer, Parts]:
    """Returns the answer, and what it was merged from: a batch's row and one delta. `late` makes it degraded."""
    partition = partition_of(CUSTOMER, PARTITIONS)
    batch = published()
    row = ViewRow(contribution(_order(124_000, 12)), Image(1, CustomerProfile(None, None, "GB", "wholesale")))
    reading = Reading(
        pin=Pin(Pointer(41, 41, (batch,)), PARTITIONS),
        rows={CUSTOMER: SlotRow(41, row.to_json())},
        progress={partition: progress(partition, late=late)},
        deltas={CUSTOMER: [(CUT + 5, encode(delta()))]},
        marks={},
    )
    layers = condition(
        partition,
        batch,
        reading.progress[partition],
        release=Release.of(SETTINGS),
        limits=ServingSettings(),
        now=NOW,
    )
    found = answer_of(CUSTOMER, DAY, reading, conditions={partition: layers}, batch=batch_info(batch))
    parts = parts_of(CUSTOMER, reading)
    assert parts is not None  # noqa: S101 # for the type checker: its cells are of this release
    return found, parts


def _order(cents: int, day: int) -> Order:
    return Order(micros_of(datetime(2026, 11, day, tzinfo=UTC)), cents, "completed")


def delta() -> Delta:
    """The correction of an order, since the batch."""
    return Delta(
        kind="order",
        entity_id="o17",
        before=Image(1, _order(900, 20)),
        after=Image(2, _order(1900, 20)),
        appended_at=NOW - 60_000_000,
        origin=Origin("file:///data/orders.csv", 17),
    )


def published() -> Published:
    """The batch."""
    release = Release.of(SETTINGS)
    cut = Cut.of(dict.fromkeys(range(PARTITIONS), CUT))
    plan = Plan(7, cut, release.logic_version, release.validation_version)
    return Published(41, "a", plan, micros_of(datetime(2026, 11, 23, 3, tzinfo=UTC)), 5_000, "checksum")


def progress(partition: int, *, late: bool) -> Progress:
    """A speed layer that is well, or late."""
    at = NOW - (_LATE_SECONDS * 1_000_000 if late else 0)
    version = Release.of(SETTINGS).validation_version
    return Progress(partition, 0, CUT + 20, CUT + 20, version, beat_at=at, caught_up_at=at)
