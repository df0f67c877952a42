"""`lambda360 erase` on real servers: record, ledger and journal, and erasing again after a restore (R24, R25)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cassandra.cluster import Session
from click.testing import CliRunner, Result

from common.algebra.facts import decode_delta
from common.errors import UsageError
from common.log.partition import partition_of
from common.log.position import Position
from common.servers import journal
from common.servers.cassandra import connected
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.erasure import ledger
from infra.proof.log_reader import LogReader
from tests.support.builders import erasure, order
from tests.support.harness import running
from tests.support.speed_system import PARTITIONS, produce, wait_applied
from tests.support.systems import new_system, patient

OLD_ID = "amy\u200b"
"""An id that an older release accepted, and no record but an erasure may name today."""


@pytest.fixture
def session(system: Settings) -> Iterator[Session]:
    with connected(patient(system)) as session:
        yield session


def command(settings: Settings, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(lambda360, ["erase", *arguments], obj=settings, input=typed, standalone_mode=False)


def test_r24_an_erasure_is_a_record_that_both_ledger_and_journal_account_for(
    system: Settings, session: Session
) -> None:
    """R24, R25: the ledger holds id and position; the journal holds the position only; the facts before are gone."""
    produce(system, [order("amy", "o1"), order("bob", "o1")])

    done = command(system, "amy", OLD_ID, "--yes", "--reason", "asked by letter")

    assert done.exception is None, done.output
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
    entries = {entry.customer_id: entry for entry in ledger.read(system.erasure_ledger)}
    assert set(entries) == {"amy", OLD_ID}
    records = {Position(r.partition, r.offset): r for r in LogReader(system, PARTITIONS).refresh()}
    for customer_id, entry in entries.items():
        position = Position.parse(entry.position or "")
        assert position.partition == partition_of(customer_id, PARTITIONS)
        assert records[position].key == customer_id.encode()
        assert json.loads(records[position].value or b"")["type"] == "customer.erased"
        assert f"position {position} of the log" in done.output
        facts = session.execute("SELECT kind, value FROM speed_facts WHERE customer_id = %s", (customer_id,))
        assert [(row.kind, row.value) for row in facts] == [("", str(position.offset))]
        deltas = session.execute("SELECT value FROM speed_deltas WHERE customer_id = %s", (customer_id,))
        assert [decode_delta(row.value).is_reset for row in deltas] == [True]
    noted = journal.entries(session, 10)
    assert {(each.action, each.reason, each.done) for each in noted} == {("erase", "asked by letter", True)}
    assert {each.what.rpartition(", at ")[2] for each in noted} == {entry.position for entry in entries.values()}
    assert not any("amy" in each.what for each in noted)


def test_nothing_is_erased_without_consent_or_with_what_cannot_be_a_customer(
    system: Settings, session: Session
) -> None:
    assert command(system, "amy", typed="n\n").exception is not None
    assert isinstance(command(system, "amy/bob", "--yes").exception, UsageError)
    assert isinstance(command(system, "amy", "--yes", "--reason", "amy asked").exception, UsageError)
    assert command(system, "amy", "--since", "2026-01-01").exception is not None

    assert ledger.read(system.erasure_ledger) == []
    assert journal.entries(session, 10) == []
    assert LogReader(system, PARTITIONS).refresh() == []


def test_r25_a_restored_log_is_given_the_later_erasures_once(system: Settings, stack: Settings, tmp_path: Path) -> None:
    """R25: what another log's ledger names is erased here, and a second time there is nothing left to erase."""
    old = new_system(stack)
    assert command(old, "amy", "bob", "--yes").exception is None
    kept = tmp_path / "ledger-of-the-lost-system.jsonl"
    kept.write_bytes(old.erasure_ledger.read_bytes())
    arguments = ("--from-ledger", str(kept), "--yes", "--since")

    none = command(system, *arguments, "2100-01-01")
    first = command(system, *arguments, "2020-01-01T00:00:00")
    second = command(system, *arguments, "2020-01-01")

    assert (first.exception, second.exception) == (None, None)
    assert "nothing to erase" in none.output
    assert "nothing to erase" in second.output
    assert sorted(record.key or b"" for record in LogReader(system, PARTITIONS).refresh()) == [b"amy", b"bob"]
    assert {entry.again_of for entry in ledger.read(system.erasure_ledger)} == {entry.id for entry in ledger.read(kept)}


def test_r24_an_import_warns_of_the_erased_by_markers_and_by_the_ledger(system: Settings, tmp_path: Path) -> None:
    """R24: the markers know what this machine's ledger does not, and the ledger what was not applied yet."""
    file = tmp_path / "orders.csv"
    rows = [f"o{n},{who},2024-01-01,1.00,completed,2024-01-01\n" for n, who in enumerate(("amy", "bob", "eve", "bob"))]
    file.write_text("order_id,customer_id,order_date,total_amount,status,updated_at\n" + "".join(rows))
    produce(system, [erasure("amy")])
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
    assert command(system, "bob", "--yes").exception is None

    dry = imported(system, file, "--dry-run")
    left_out = imported(system, file, "--skip-erased")

    example = [{"row": 1, "customer_id": "amy"}, {"row": 2, "customer_id": "bob"}]
    assert dry["erased"] == {"customers": 2, "example": example, "left_out": 0}
    assert left_out["erased"] == {"customers": 2, "example": example, "left_out": 3}
    assert left_out["sent"] == 1
    assert [record.key for record in LogReader(system, PARTITIONS).refresh() if record.key == b"eve"] == [b"eve"]


def imported(settings: Settings, file: Path, *options: str) -> dict[str, Any]:
    arguments = ["import", "order", str(file), "--json", *options]
    done = CliRunner().invoke(lambda360, arguments, obj=settings, standalone_mode=False)
    assert done.exception is None, done.output
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary
