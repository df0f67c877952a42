"""Customers with 30,000 and with 1,000,000 orders, before and after the batch that absorbs them."""

import time
from statistics import median
from typing import Final

import httpx
from cassandra.cluster import Session
from rich.console import Console

from batch_layer.view.load import Writer
from common.algebra.dates import day_of
from common.algebra.measures import MEASURES
from common.algebra.pointer import Claim
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.settings import Settings
from infra.drawing import Column, draw
from tests.bench.serve.rows import AS_OF, CUT, beat, delta_cell, plan_of, publish, write_deltas
from tests.support.harness import running, wait_until

ORDERS: Final = (30_000, 1_000_000)
YEARS: Final = 10
"""The orders are spread over the days of so many years."""
ASKED: Final = 5


def measure(console: Console, session: Session, settings: Settings) -> None:
    """Prints for each customer the time of an answer, its status, and what was read for it."""
    plan = plan_of(settings)
    writer, rows = Writer(session, settings, Claim(1, "a", plan)), dict[str, str]()
    for orders in ORDERS:
        rows[f"after-{orders}"] = _row(orders)
        writer.write(f"after-{orders}", rows[f"after-{orders}"])
        began = time.perf_counter()
        cell = delta_cell(1)
        write_deltas(session, ((f"before-{orders}", CUT + number, delta_cell(number)) for number in range(orders)))
        console.print(f"{orders:,} deltas of {len(cell)} bytes written in {time.perf_counter() - began:.0f} s")
    writer.close()
    publish(session, plan, len(rows))
    beat(session, settings)
    found = []
    with (
        running(settings, "serve"),
        httpx.Client(base_url=f"http://127.0.0.1:{settings.serving.port}", timeout=120) as client,
    ):
        wait_until(lambda: _answers(client), 60, "the API answers")
        for orders in ORDERS:
            for when in ("before", "after"):
                customer = f"{when}-{orders}"
                count = orders if when == "before" else 1
                size = orders * len(delta_cell(orders // 2)) if when == "before" else len(rows[customer])
                found.append(
                    (f"{orders:,} orders, {when} the batch", f"{count:,}", f"{size:,}", *_asked(client, customer))
                )
    columns = ("", "rows read", "bytes read", "ms, median", "ms, greatest", "answer")
    draw([Column(name, right=0 < place < 5) for place, name in enumerate(columns)], found)


def _row(orders: int) -> str:
    """What a batch makes of them: a vector a day, however many orders it has."""
    today, days = day_of(AS_OF), min(orders, 365 * YEARS)
    vector = (orders // days, 1250 * orders // days, *([0] * (len(MEASURES) - 2)))
    return ViewRow(State({today - day: vector for day in range(days)})).to_json()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _asked(client: httpx.Client, customer: str) -> tuple[str, str, str]:
    delays, told = [], ""
    for _ in range(ASKED):
        began = time.perf_counter()
        response = client.get(f"/v1/customers/{customer}/metrics", params={"as_of": AS_OF.isoformat()})
        delays.append(1000 * (time.perf_counter() - began))
        body = response.json()
        told = (
            f"{response.status_code} {body['provenance']['status'] if response.status_code == 200 else body['detail']}"
        )
    return f"{median(delays):,.1f}", f"{max(delays):,.1f}", told
