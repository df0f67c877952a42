"""The third act: what happens to what a batch absorbed already, and the other kinds of record.

CDNOW holds purchases only; everything here is made up from them, the same in every run.
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
    """The files of the third act, all about customers of `orders`."""
    corrected, cancelled, late = orders[::30], orders[10::60], orders[20::60]
    repeated, stale = orders[5::30], corrected[::2]
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
    """The ids and a version: nothing else is read of such a row."""
    blank = {"order_date": "", "total_amount": "", "status": ""}
    return _row(order, **blank, updated_at=CORRECTED_AT, retracted="true")


def _more(amount: str) -> str:
    """Five more, in whole units: the cents stay as they are."""
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
    """Every third order has three tickets, the last of which is spam, and deleted at its source."""
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
    events = [(f"e-{o.order_id}-{kind}", o.customer_id, kind) for o in orders for kind in ("email_open", "email_click")]
    columns = {
        "event_id": [event[0] for event in events],
        "customer_id": [event[1] for event in events],
        "event_type": [event[2] for event in events],
        "event_date": ["1998-06-20T08:00:00Z"] * len(events),
        "campaign_id": ["summer-98"] * len(events),
    }
    pq.write_table(pa.table(columns), path)
    return ChangeFile("marketing", path, f"{len(events):,} e-mails opened and clicked")


def _profiles(path: Path, orders: Sequence[Purchase]) -> ChangeFile:
    rows = list(changed_profiles(orders))
    left = len(leavers(orders))
    story = f"{len(rows) - left:,} customers of another segment, {left:,} profiles taken back"
    return ChangeFile("profile", write_csv(path, (*Person._fields, "retracted"), rows), story)
