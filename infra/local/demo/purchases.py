"""Reads the CDNOW purchases: 69,659 orders until June 1998, of 23,570 customers who first bought in early 1997."""

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from common.errors import StackError
from infra.paths import ROOT

DATA: Final = ROOT / ".data" / "CDNOW_master.txt"
AS_OF: Final = date(1998, 6, 30)
"""The last day of the data. The demo's answers are as of this day."""
SECOND_PART: Final = "1997-10"
"""The first month of the second part."""


class Purchase(NamedTuple):
    """An order. Its id is its row number: the file has no ids, and has equal rows."""

    order_id: str
    customer_id: str
    order_date: str
    total_amount: str


def read_purchases(path: Path = DATA, customers: int | None = None) -> list[Purchase]:
    """Returns the purchases of the first `customers` in the file, or of all. Raises StackError if there is no file."""
    if not path.exists():
        raise StackError(f"the demo's data is not at {path}; `make setup` brings it")
    purchases = list(_purchases(path))
    chosen = set(list(dict.fromkeys(purchase.customer_id for purchase in purchases))[:customers])
    return [purchase for purchase in purchases if purchase.customer_id in chosen]


def _purchases(path: Path) -> Iterator[Purchase]:
    with path.open(encoding="ascii") as lines:
        next(lines)  # the header
        for number, line in enumerate(lines, 1):
            customer, day, _, amount = line.split()
            yield Purchase(str(number), customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", amount)


def parts(purchases: Iterable[Purchase]) -> tuple[list[Purchase], list[list[Purchase]]]:
    """Returns the purchases of the first part, and those of each month of the second."""
    months = {
        month: list(orders)
        for month, orders in groupby(sorted(purchases, key=lambda p: p.order_date), key=lambda p: p.order_date[:7])
    }
    first = [order for month, orders in months.items() if month < SECOND_PART for order in orders]
    return first, [orders for month, orders in months.items() if month >= SECOND_PART]


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> Path:
    """Writes a CSV file, and returns its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
