"""Writes the files of the third act: changes to orders that a batch has absorbed, and records of the other kinds.

CDNOW holds purchases only. Everything here is made up from them, and is the same in every run.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from infra.local.demo.people import Person, changed_profiles, leavers
from infra.local.demo.purchases import Purchase, write_csv

CORRECTED_AT: Final = "1998-07-01T09:00:00Z"
BROUGHT_BACK_AT: Final = "1998-07-02T09:00:00Z"
_ORDER_HEADER: Final = (*Purchase._fields, "status", "updated_at", "retracted")


class ChangeFile(NamedTuple):
    """A file to import: its kind, its path, and what is in it."""

    kind: str
    path: Path
    story: str


def write_changes(folder: Path, orders: Sequence[Purchase]) -> list[ChangeFile]:
    """Writes the files of the third act into `folder`, all about customers of `orders`."""
    corrected = orders[::30]
    cancelled = orders[10::60]
    late = orders[20::60]
    repeated = orders[5::30]
    stale = corrected[::2]
    taken_back = orders[25::120]
    brought_back = taken_back[::4]
    rows = [
        *(_row(order, total_amount=_more(order.total_amount), updated_at=CORRECTED_AT) for order in corrected),
        *(_row(order, status="cancelled", updated_at=CORRECTED_AT) for order in cancelled),
        *(_row(order, order_id=f"late-{order.order_id}", order_date="1997-01-31") for order in late),
        *(_taken_back(order) for order in taken_back),
        *(_row(order) for order in (*repeated, *stale, *taken_back)),
        *(_row(order, updated_at=BROUGHT_BACK_AT) for order in brought_back),
    ]
    story = (
        f"{len(corrected):,} corrected amounts, {len(cancelled):,} cancellations, {len(late):,} late orders, "
        f"{len(taken_back):,} taken back, {len(brought_back):,} of them brought back, {len(repeated):,} repeats, "
        f"{len(stale) + len(taken_back):,} old versions that arrive again"
    )
    return [
        ChangeFile("order", write_csv(folder / "changes.csv", _ORDER_HEADER, rows), story),
        _refunds(folder / "refunds.csv", orders[::60]),
        _tickets(folder / "tickets.jsonl", orders[::40]),
        _emails(folder / "emails.parquet", orders[::25]),
        _profiles(folder / "profiles-changed.csv", orders),
    ]


def _row(order: Purchase, **changes: str) -> tuple[str, ...]:
    fields = {**order._asdict(), "status": "completed", "updated_at": order.order_date, "retracted": "", **changes}
    return tuple(fields[name] for name in _ORDER_HEADER)


def _taken_back(order: Purchase) -> tuple[str, ...]:
    """Returns a row that takes the order back. Only its ids and its version are read."""
    blank = {"order_date": "", "total_amount": "", "status": ""}
    return _row(order, **blank, updated_at=CORRECTED_AT, retracted="true")


def _more(amount: str) -> str:
    """Returns the amount plus 5 whole units; its cents are as before."""
    units, point, cents = amount.partition(".")
    return f"{int(units) + 5}{point}{cents}"


def _refunds(path: Path, orders: Sequence[Purchase]) -> ChangeFile:
    rows = ((f"r-{o.order_id}", o.order_id, o.customer_id, "1998-06-15", o.total_amount) for o in orders)
    header = ("refund_id", "order_id", "customer_id", "refunded_at", "amount")
    return ChangeFile("refund", write_csv(path, header, rows), f"{len(orders):,} refunds")


def _tickets(path: Path, orders: Sequence[Purchase]) -> ChangeFile:
    tickets = list(_ticket_rows(orders))
    path.write_text("".join(json.dumps(ticket) + "\n" for ticket in tickets), encoding="utf-8")
    deleted = sum("retracted" in ticket for ticket in tickets)
    return ChangeFile("ticket", path, f"{len(tickets) - deleted:,} support tickets, {deleted:,} of them deleted again")


def _ticket_rows(orders: Sequence[Purchase]) -> Iterator[dict[str, str | bool]]:
    """Yields one to three tickets for each order. A third ticket is spam: the row after it takes it back."""
    for index, order in enumerate(orders):
        for number in range(1 + index % 3):
            ticket = {
                "ticket_id": f"t-{order.order_id}-{number}",
                "customer_id": order.customer_id,
                "created_date": f"1998-06-{10 + number:02}T10:00:00Z",
                "category": "delivery",
                "priority": "high" if index % 5 == 0 else "normal",
            }
            resolved = {"resolved_date": f"1998-06-{12 + number:02}T16:30:00Z"} if number == 0 else {}
            yield {**ticket, **resolved}
            if number == 2:
                ids = {name: ticket[name] for name in ("ticket_id", "customer_id")}
                yield {**ids, "updated_at": "1998-06-20", "retracted": True}


def _emails(path: Path, orders: Sequence[Purchase]) -> ChangeFile:
    events = [
        {
            "event_id": f"e-{order.order_id}-{event_type}",
            "customer_id": order.customer_id,
            "event_type": event_type,
            "event_date": "1998-06-20T08:00:00Z",
            "campaign_id": "summer-98",
        }
        for order in orders
        for event_type in ("email_open", "email_click")
    ]
    pq.write_table(pa.Table.from_pylist(events), path)
    return ChangeFile("marketing", path, f"{len(events):,} e-mails opened and clicked")


def _profiles(path: Path, orders: Sequence[Purchase]) -> ChangeFile:
    rows = list(changed_profiles(orders))
    left = len(leavers(orders))
    story = f"{len(rows) - left:,} customers of another segment, {left:,} profiles taken back"
    return ChangeFile("profile", write_csv(path, (*Person._fields, "retracted"), rows), story)
