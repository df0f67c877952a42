"""A customer's facts as a list: read in bounded portions, the newest first where they can be sorted (R10, R24)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from common.algebra.dates import datetime_of
from common.algebra.facts import Fact, Image, Origin, decode_delta, decode_fact
from common.errors import Lambda360Error
from common.log.position import Position
from serving_layer.answer.explained import origin_info
from serving_layer.answer.readable import fields
from serving_layer.read.details import DetailStore, FactRow
from serving_layer.read.topics import Topics
from serving_layer.schemas.facts import FactItem

SORTED: Final = 5_000
"""A customer of so many facts at most gets them sorted by date; each page then reads them all."""
_OWN_DATE: Final = {
    "order": "order_date",
    "refund": "refunded_at",
    "support_ticket": "created_date",
    "marketing_event": "event_date",
}
Bigint = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class TooMany(Lambda360Error):
    """The customer has more facts by now than are sorted, so a sorted list cannot be gone on with."""


class End(msgspec.Struct, frozen=True, array_like=True):
    """The last fact of a page; `happened_at` is None where the facts are in the order of kind and id."""

    kind: str
    entity_id: str
    happened_at: Bigint | None


@dataclass(frozen=True, slots=True)
class Found:
    """A fact with its key. `happened_at` is in microseconds (UTC)."""

    kind: str
    entity_id: str
    fact: Fact

    @property
    def happened_at(self) -> int:
        return happened_at(self.kind, self.fact)

    @property
    def newest_first(self) -> tuple[int, str, str]:
        return -self.happened_at, self.kind, self.entity_id


@dataclass(frozen=True, slots=True)
class Page:
    """A page of facts, and its end unless it is the last. `unreadable` counts facts of another release."""

    found: Sequence[Found]
    is_sorted: bool
    end: End | None
    unreadable: int


def happened_at(kind: str, fact: Fact) -> int:
    """Returns an entity's own date; of a retracted one its last known, and of a profile its version."""
    for image in (fact.after, fact.before):
        at = None if image is None else getattr(image.payload, _OWN_DATE.get(kind, ""), None)
        if at is not None:
            return int(at)
    return fact.after.version


async def page(
    store: DetailStore, generation: int, customer: str, *, kind: str | None, after: End | None, most: int
) -> Page:
    """Returns the next `most` facts of a customer, of one kind or of all.

    They are the newest first if the customer has at most SORTED of them, else in the order of kind and entity id; a
    cursor goes on in the order that it began with. Facts below the customer's last erasure are absent (R24). Raises
    TooMany if there are more than SORTED facts by now, and `after` was the end of a sorted page.
    """
    reset = (await store.reset_offsets(generation, [customer])).get(customer, -1)
    is_sorted = after is None or after.happened_at is not None
    if is_sorted:
        rows = await store.facts(generation, customer, kind, ("", ""), SORTED + 1)
        if len(rows) <= SORTED:
            found, unreadable = _decoded(rows, reset)
            return _sorted_page(found, after, most, unreadable)
        if after is not None:
            raise TooMany
        rows = rows[: most + 1]
    else:
        assert after is not None  # noqa: S101 # for the type checker: else the page is sorted
        rows = await store.facts(generation, customer, kind, (after.kind, after.entity_id), most + 1)
    found, unreadable = _decoded(rows[:most], reset)
    end = End(rows[most - 1].kind, rows[most - 1].entity_id, None) if len(rows) > most else None
    return Page(found, is_sorted=False, end=end, unreadable=unreadable)


def _sorted_page(found: Sequence[Found], after: End | None, most: int, unreadable: int) -> Page:
    rest = sorted(found, key=lambda each: each.newest_first)
    if after is not None and after.happened_at is not None:
        begin = -after.happened_at, after.kind, after.entity_id
        rest = [each for each in rest if each.newest_first > begin]
    taken = rest[:most]
    last = taken[-1] if len(rest) > most else None
    end = None if last is None else End(last.kind, last.entity_id, last.happened_at)
    return Page(taken, is_sorted=True, end=end, unreadable=unreadable)


def _decoded(rows: Sequence[FactRow], reset: int) -> tuple[list[Found], int]:
    """Returns the facts above the erasure at `reset`, and how many rows this release cannot read."""
    found = []
    unreadable = 0
    for kind, entity_id, value in rows:
        try:
            fact = decode_fact(value)
        except msgspec.DecodeError:
            unreadable += 1
            continue
        if fact.offset > reset:
            found.append(Found(kind, entity_id, fact))
    return found, unreadable


async def origins(
    store: DetailStore, topics: Topics, generation: int, customer: str, positions: Sequence[Position]
) -> Mapping[Position, Origin]:
    """Returns where the records at these positions came from: by their deltas, or by the log once those have expired.

    A record of which neither says it is absent.
    """
    cells = await store.delta_cells(generation, customer, [position.offset for position in positions])
    found = {position: origin for position in positions if (origin := _origin(cells.get(position.offset))) is not None}
    return {**found, **await topics.origins([position for position in positions if position not in found])}


def _origin(cell: str | None) -> Origin | None:
    try:
        return None if cell is None else decode_delta(cell).origin
    except msgspec.DecodeError:
        return None


def item(found: Found, position: Position, origin: Origin | None) -> FactItem:
    """Returns a fact as people read it."""
    fact = found.fact
    return FactItem(
        kind=found.kind,
        entity_id=found.entity_id,
        happened_at=datetime_of(found.happened_at),
        updated_at=datetime_of(fact.after.version),
        retracted=fact.after.retracted,
        changed=fact.before is not None,
        payload=_payload(fact.after),
        before=_payload(fact.before),
        position=str(position),
        origin=origin_info(origin),
    )


def _payload(image: Image | None) -> dict[str, str | int | bool | None] | None:
    return None if image is None or image.retracted else fields(image)
