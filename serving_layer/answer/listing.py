"""Lists of customers from the rankings of the last batch, which are read through the pointer (R17, R20, R24)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from common.algebra.merge import merge
from common.algebra.metrics import RANKED, present
from common.algebra.rankings import Entry, Ranked, RankingKey, Scope, in_order, newest_ranked
from common.log.partition import partition_of
from serving_layer.read.cells import UnreadableCell, view_row
from serving_layer.read.reading import batch_side
from serving_layer.read.store import Pin, SlotReused, SlotRow, ViewStore
from serving_layer.schemas.listed import ListedCustomer

RISK_METRIC: Final = "tickets_30d"
"""The metric by which customers at risk are listed: nobody is at risk with fewer than two of these."""
_LEAST_AT_RISK: Final = 2
"""Tickets in the window: two of high priority are enough."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which customers are listed: those of a ranking or, for a prefix of their ids, those of all rankings."""

    key: RankingKey
    at_risk: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Every customer that was found, in the list's order."""

    customers: Sequence[ListedCustomer]
    complete: bool


async def ranked(store: ViewStore) -> tuple[Pin, Ranked | None]:
    """Returns the pinned pointer, and the batch whose rankings are read; None while no batch has any."""
    pin = await store.pin()
    return pin, newest_ranked(pin.pointer, await store.details.ranked_slots())


async def listing(store: ViewStore, pin: Pin, of: Ranked, wish: Wish) -> Listing:
    """Returns the customers of the wish, at most those of a ranking, and for a prefix those of all rankings.

    Rows of another batch count as absent, and customers who were erased at or above the batch's cut are left out.
    Raises SlotReused if the slot was used again meanwhile.
    """
    customers, is_whole = await _candidates(store, of, wish)
    rows, resets = await asyncio.gather(
        batch_side(store, of.batch, customers), store.details.reset_offsets(pin.pointer.generation, customers)
    )
    cut = of.batch.plan.cut
    left = [each for each in customers if resets.get(each, -1) < cut[partition_of(each, pin.partitions)]]
    shown = (_shown(each, rows.get(each), of.slot.as_of, wish.key.metric) for each in left)
    return Listing([each for each in shown if each is not None and _fits(each, wish)], complete=is_whole)


async def _candidates(store: ViewStore, of: Ranked, wish: Wish) -> tuple[list[str], bool]:
    """Returns ranked customers who may fit, and whether nobody else can: that everybody is ranked, or has too little.

    A ranking may be shorter than it was made, since an erasure takes a row out: its length alone proves nothing.
    """
    if not wish.prefix:
        entries = await _ranking(store, of, wish.key)
        too_little = wish.at_risk and any(entry.value < _LEAST_AT_RISK for entry in entries)
        is_whole = too_little or len(entries) >= of.batch.rows
        return [entry.customer_id for entry in entries], is_whole
    found = await asyncio.gather(*(_ranking(store, of, RankingKey(metric.name)) for metric in RANKED))
    ranked_ids = {entry.customer_id for entries in found for entry in entries}
    # The customer of exactly this id is looked for as well: it may be in no ranking.
    fitting = sorted({wish.prefix, *(each for each in ranked_ids if each.startswith(wish.prefix))})
    return fitting, len(ranked_ids) >= of.batch.rows


def _fits(customer: ListedCustomer, wish: Wish) -> bool:
    members = {Scope.SEGMENT: customer.segment, Scope.COUNTRY: customer.country, Scope.ALL: wish.key.member}
    return members[wish.key.scope] == wish.key.member and bool(customer.at_risk or not wish.at_risk)


async def _ranking(store: ViewStore, of: Ranked, key: RankingKey) -> list[Entry]:
    rows = await store.details.ranking(of.batch.slot, key)
    newer = [row.batch_id for row in rows if row.batch_id > of.batch.batch_id]
    if newer:  # it came with the deletion of what is older, so the ranking is not whole
        raise SlotReused(f"batch {max(newer)} replaced this ranking while it was read")
    return in_order(row.entry for row in rows if row.batch_id == of.batch.batch_id)


def _shown(customer: str, row: SlotRow | None, as_of: date, metric: str) -> ListedCustomer | None:
    """Returns a customer as the batch knew it; None without a row, or with one of another release."""
    try:
        found = view_row(row)
    except UnreadableCell:
        return None
    if found is None:
        return None
    merged = merge(found, (), 0)
    metrics = present(merged.state, as_of, merged.profile)
    profile = merged.profile
    return ListedCustomer(
        customer_id=customer,
        value=metrics[metric],
        country=None if profile is None else profile.country,
        segment=None if profile is None else profile.segment,
        at_risk=bool(metrics["at_risk"]),
    )
