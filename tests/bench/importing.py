"""The import of a CSV file, and beside it a bare producer that sends records of the same bytes."""

import re
import subprocess
import time
from pathlib import Path
from random import Random
from typing import Final

from common.servers.producer import producer
from common.settings import Settings
from tests.support.builders import order
from tests.support.harness import Child
from tests.support.systems import new_system

ROWS: Final = 200_000
CUSTOMERS: Final = 40_000
_WAIT_SECONDS: Final = 600


def measure_imports(stack: Settings) -> dict[str, float]:
    """Rows a second of an import, from its own first line, and records a second of the bare producer."""
    settings = new_system(stack)
    path = write_orders(settings.home / "orders.csv")
    imported = import_rate(settings, path)
    bare = _bare(new_system(stack))
    return {
        "rows/s of an import from CSV": imported,
        "records/s of a bare producer": bare,
        "import / bare producer": imported / bare,
    }


def write_orders(path: Path, rows: int = ROWS) -> Path:
    """Writes a CSV file of orders, as a shop exports them: a time without a zone, and columns that nobody reads."""
    random = Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write("order_id,customer_id,order_date,total_amount,status,note,city\n")
        for number in range(rows):
            day = 1 + number % 28
            amount = random.randrange(100, 100_000) / 100
            customer = f"customer-{random.randrange(CUSTOMERS)}"
            file.write(f'o{number},{customer},2024-05-{day:02} 12:30:00,{amount:.2f},completed,"a, note",Köln\n')
    return path


def import_rate(settings: Settings, path: Path) -> float:
    """Returns the rows a second of `lambda360 import`."""
    child = Child(settings, "import", "order", str(path), name="import")
    try:
        assert child.process.wait(_WAIT_SECONDS) == 0, child.tail()
    except subprocess.TimeoutExpired:
        child.stop()
        raise
    found = re.search(r"([\d,]+) sent and acknowledged.* in ([\d.,]+) s", child.tail())
    assert found is not None, child.tail()
    return float(found.group(1).replace(",", "")) / float(found.group(2).replace(",", ""))


def _bare(settings: Settings) -> float:
    messages = [
        order(f"customer-{number % CUSTOMERS}", f"o{number}", "2024-05-01T12:30:00Z", "12.50") for number in range(ROWS)
    ]
    client = producer(settings, **{"queue.buffering.max.messages": 1_000_000})
    started = time.monotonic()
    for number, message in enumerate(messages):
        client.produce(settings.log.topic, message.value, message.key)
        if number % 500 == 0:
            client.poll(0)
    client.flush()
    return ROWS / (time.monotonic() - started)
