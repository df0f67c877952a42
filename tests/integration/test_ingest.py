"""Files enter the real log; doing it again changes no answer."""

import json
import re
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import NewTopic

from common.errors import LogError, LogUnavailable, UsageError
from common.log.events import parse
from common.log.normalizing import Rules
from common.servers import kafka
from common.settings import LogSettings, Settings
from infra.ingest.importer import Options, run
from infra.ingest.mapping import mapping_of
from infra.ingest.report import lines
from infra.ingest.summary import Summary
from infra.proof.log_reader import LogReader
from infra.proof.oracle import Oracle
from tests.support.harness import running, wait_until

DAY = date(2024, 6, 30)
NONE: Final[frozenset[str]] = frozenset()
GUIDE = Path(__file__).parents[2] / "docs" / "producing.md"


def import_orders(system: Settings, path: Path, **options: list[str]) -> Summary:
    return run(system, path, mapping_of("order", **options), clock=lambda: time.time_ns() // 1000)  # type: ignore[arg-type]


def orders_file(folder: Path, count: int) -> Path:
    path = folder / "orders.csv"
    rows = (f"o{n},küsten {n % 40},2024-05-{1 + n % 28:02},{n}.5,{n % 3}" for n in range(count))
    path.write_text("order_id,customer,order_date,total_amount,state\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


OPTIONS: Final = {
    "maps": ["customer_id=customer", "status=state"],
    "map_values": ["status:0=completed", "status:1=cancelled"],
}


def test_r1_r3_every_valid_row_is_a_record_that_validation_takes_and_a_second_import_changes_no_answer(
    system: Settings, tmp_path: Path
) -> None:
    path, log, oracle = orders_file(tmp_path, 300), LogReader(system, 4), Oracle([], 4)
    first = import_orders(system, path, **OPTIONS)
    assert (first.read, first.sent, first.rejected) == (300, 200, 100)
    assert len(first.rejects.read_text().splitlines()) == 100

    oracle.extend(log.refresh())
    for record in log.records:
        parse(record.key, record.value, record.partition, 4, record.appended_at, Rules("USD"))
    assert len(log.records) == 200
    answers = {customer: oracle.answer(customer, DAY) for customer in oracle.mentioned}
    assert len(answers) == 40

    import_orders(system, path, **OPTIONS)
    oracle.extend(log.refresh())
    assert len(log.records) == 400
    assert {customer: oracle.answer(customer, DAY) for customer in oracle.mentioned} == answers


def test_r1_nothing_is_sent_to_a_topic_that_is_not_the_recorded_one(system: Settings, tmp_path: Path) -> None:
    admin = kafka.admin(system)
    admin.delete_topics([system.log.topic])[system.log.topic].result()
    wait_until(lambda: system.log.topic not in admin.list_topics(timeout=5).topics, 20, "the topic is deleted")
    admin.create_topics([NewTopic(system.log.topic, 4)])[system.log.topic].result()
    wait_until(lambda: _answers(system), 20, "the new topic has leaders")
    with pytest.raises(LogError, match="not the log this system was built on"):
        import_orders(system, orders_file(tmp_path, 3), **OPTIONS)
    assert set(kafka.end_offsets(system, 4).values()) == {0}


def _answers(settings: Settings) -> bool:
    """Whether the topic can be described and asked for its end: a moment after its creation is acknowledged."""
    try:
        kafka.topic_identity(settings, settings.log.topic)
        return len(kafka.end_offsets(settings, 4)) == 4
    except (LogError, LogUnavailable):
        return False


@pytest.mark.timeout(60)
def test_a_kafka_that_is_away_is_said_in_seconds_and_leaves_no_file(tmp_path: Path) -> None:
    away = Settings(log=LogSettings(bootstrap_servers="127.0.0.1:1"))
    path = orders_file(tmp_path, 3)
    with pytest.raises(LogUnavailable, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        import_orders(away, path, **OPTIONS)
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_import_says_so_and_the_same_command_again_finishes_it(system: Settings, tmp_path: Path) -> None:
    path = orders_file(tmp_path, 150_000)
    options = [part for field in OPTIONS["maps"] for part in ("--map", field)]
    options += [part for value in OPTIONS["map_values"] for part in ("--map-value", value)]
    with running(system, "import", "order", str(path), *options, name="import") as child:
        wait_until(lambda: sum(kafka.end_offsets(system, 4).values()) > 0, 30, "the first record arrived")
        child.signal_group(signal.SIGINT)
        assert child.process.wait(30) == 130, child.tail()
    assert "Interrupted. Run the same command again" in child.tail()
    (sent,) = re.findall(r"([\d,]+) sent and acknowledged", child.tail())
    assert 0 < int(sent.replace(",", "")) < 100_000
    assert import_orders(system, path, **OPTIONS).sent == 100_000


def test_the_producer_of_the_guide_runs_as_printed_and_its_records_are_valid(system: Settings, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "producer.py"
    script.write_text(code, encoding="utf-8")
    command = [sys.executable, str(script), system.bootstrap_servers, system.log.topic]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    answer = Oracle(LogReader(system, 4).refresh(), 4).answer("ada", date(2026, 3, 31))
    assert answer is not None
    assert (answer["total_revenue"], answer["order_count"]) == ("99.90", 1)


def test_a_file_is_compared_with_the_files_of_its_series_and_a_change_is_approved_by_name(
    system: Settings, tmp_path: Path
) -> None:
    """The first declares; a new column is told once; one that is gone, or of another type, until it is approved."""

    def of_day(day: int, *names: str, amount: object = "1.50", approvals: frozenset[str] = NONE) -> Summary:
        values = {"customer_id": "ada", "order_date": "2024-05-01", "status": "completed", "total_amount": amount}
        rows = [{**values, "order_id": f"o{day}-{n}", **dict.fromkeys(names, "x")} for n in range(3)]
        path = tmp_path / f"orders-{day:02}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        options = Options(approvals=approvals)
        return run(system, path, mapping_of("order"), options, clock=lambda: time.time_ns() // 1000)

    def told(summary: Summary) -> list[str]:
        return [line for line in lines(summary) if "olumn" in line or "--approve" in line]

    assert told(of_day(1, "note")) == []
    assert told(of_day(2, "note", "gift")) == ["Column gift (string) is new in orders-#.jsonl, first in row 1."]
    unlike = "orders-#.jsonl is not as the files before it"
    gone = "removed:order.note@file:orders-#.jsonl"
    other = "changed:order.total_amount:number@file:orders-#.jsonl"
    for day in (3, 4):
        assert told(of_day(day, "gift", amount=1.5)) == [
            f"Column total_amount holds number in row 1, and string before: {unlike}.",
            f"      if that is meant, the same command with --approve '{other}'",
            f"Column note (string) is gone: {unlike}.",
            f"      if that is meant, the same command with --approve '{gone}'",
        ]
    approved = of_day(5, "gift", amount=1.5, approvals=frozenset({gone, other}))
    assert [line.endswith(f"{unlike}; from now on that is its shape.") for line in told(approved)] == [True, True]
    assert told(of_day(6, "gift")) == told(of_day(7, "gift", amount=2)) == []
    shape = approved.as_json()["shape"]
    assert isinstance(shape, dict)
    assert [(change["name"], change["declared"]) for change in shape["changes"]] == [(other, True), (gone, True)]
    with pytest.raises(UsageError, match="--approve"):
        of_day(8, approvals=frozenset({"removed:order.note@shop"}))
