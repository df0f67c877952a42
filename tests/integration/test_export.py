"""The step EXPORT on real servers: it never takes the switch back, and is finished later (R17, R19, R20)."""

import json
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cassandra.cluster import Session
from click.testing import CliRunner

from batch_layer import manifest as manifests
from batch_layer.erasure import rankings as erased_rankings
from batch_layer.export import rankings, warehouse
from batch_layer.export.ranked import Ranking, read
from batch_layer.manifest import Status, Step
from batch_layer.run import run
from batch_layer.view import publish
from common.algebra.metrics import RANKED
from common.algebra.pointer import Published
from common.algebra.rankings import RankingKey, Scope
from common.errors import BatchError, ExportFailed
from common.log.erasure import Erasure
from common.log.partition import partition_of
from common.log.position import Position
from common.servers import journal, rollback
from common.servers.kafka import end_offsets
from common.speed_cql import MARKER
from infra.cli import lambda360
from infra.proof.log_reader import LogReader
from infra.proof.oracle import Oracle
from tests.support.batch_system import produce
from tests.support.builders import order, profile, random_messages
from tests.support.dying import DYING_SECONDS, Died, environment, program
from tests.support.exported import oracle_row, warehouse_rows
from tests.support.jobs import Jobs

pytestmark = [pytest.mark.spark, pytest.mark.slow]
REVENUE = RankingKey("total_revenue")


def today() -> date:
    return datetime.now(UTC).date()


def ranking(session: Session, key: RankingKey = REVENUE) -> Ranking:
    return read(session, publish.read(session), key)


def names(found: Ranking) -> list[str]:
    return [entry.customer_id for entry in found.entries]


def command(jobs: Jobs, *arguments: str) -> tuple[int, str]:
    """The exit code and the output of a `lambda360` command that needs no Spark."""
    done = CliRunner().invoke(lambda360, arguments, obj=jobs.settings, standalone_mode=False)
    code = done.return_value if isinstance(done.return_value, int) else int(done.exception is not None)
    return code, done.output if done.exception is None else str(done.exception)


def child(jobs: Jobs, *arguments: str) -> tuple[int, str]:
    """Likewise of one that starts Spark, in a process of its own."""
    main = program(f"from infra.cli import main; main({list(arguments)!r})")
    done = subprocess.run(
        main, env=environment(jobs.settings), capture_output=True, text=True, check=False, timeout=DYING_SECONDS
    )
    return done.returncode, done.stdout + done.stderr


def expected(oracle: Oracle, key: RankingKey, size: int) -> list[tuple[str, Any]]:
    """The oracle's answers of today, sorted by the rule."""
    rows = {customer: oracle_row(oracle, customer, today()) for customer in oracle.customers()}
    chosen = [
        (customer, row[key.metric])
        for customer, row in rows.items()
        if row[key.metric] is not None and key.member in ("", row.get(str(key.scope)))
    ]
    return sorted(chosen, key=lambda each: (-float(each[1]), each[0]))[:size]


def test_a_run_leaves_the_day_in_the_warehouse_and_rankings_that_are_read_through_the_pointer(jobs: Jobs) -> None:
    """R6, R20: both are the oracle's; a row of an older batch in a reused slot counts as absent."""
    jobs.settings = jobs.settings.model_copy(
        update={"batch": jobs.settings.batch.model_copy(update={"ranking_size": 5})}
    )
    produce(
        jobs.settings, [order("zero", "o1", total_amount="99999.00"), profile("zero", segment="gone", country="FR")]
    )
    assert run(jobs()) is not None
    assert names(ranking(jobs.session, RankingKey("total_revenue", Scope.SEGMENT, "gone"))) == ["zero"]
    newer = profile("zero", "2024-07-09T00:00:00Z", country="GB")
    produce(jobs.settings, [*random_messages(seed=61, count=250, customers=25), newer])
    for _ in range(3):
        assert run(jobs(), force=True) is not None
    oracle = Oracle(LogReader(jobs.settings, 4).refresh(), 4)
    assert publish.read(jobs.session).complete[-1].slot == "a", "the slot of the first batch is used again"

    for metric in RANKED:
        for scope, member in ((Scope.ALL, ""), (Scope.SEGMENT, "retail"), (Scope.COUNTRY, "GB"), (Scope.COUNTRY, "FR")):
            key = RankingKey(metric.name, scope, member)
            code, told = command(jobs, "batch", "rankings", *arguments_of(key), "--json")
            shown = json.loads(told)
            assert code == 0
            assert [(each["customer_id"], each["value"]) for each in shown["items"]] == expected(oracle, key, 5), key
            assert (shown["batch_id"], shown["as_of"], shown["size"]) == (4, str(today()), 5)
    assert names(ranking(jobs.session, RankingKey("total_revenue", Scope.SEGMENT, "gone"))) == []
    assert sorted(warehouse_rows(jobs())) == [(today(), customer) for customer in oracle.customers()]
    assert "As of" in command(jobs, "batch", "rankings", "orders_90d")[1]
    assert "a metric by which customers are ranked" in command(jobs, "batch", "rankings", "age_years")[1]
    assert "not of both" in command(jobs, "batch", "rankings", "orders_90d", "--segment", "a", "--country", "GB")[1]


def arguments_of(key: RankingKey) -> list[str]:
    return [key.metric] if key.scope is Scope.ALL else [key.metric, f"--{key.scope}", key.member]


def test_an_export_that_dies_or_fails_leaves_the_batch_current_and_is_finished_later(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R19: and it keeps no new batch back. Until then rankings are those of the batch before."""
    produce(jobs.settings, [order("ada", "o1", total_amount="5.00")])

    def die(*of: Any) -> None:
        raise Died

    def fail(*of: Any) -> None:
        raise BatchError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(rankings, "complete", die)
        with pytest.raises(Died):
            run(jobs())
    (left,) = manifests.manifests(jobs.session)
    assert (left.step, left.status) == (Step.EXPORT, Status.RUNNING)
    assert publish.read(jobs.session).current == 1
    with pytest.raises(BatchError, match="no batch has its rankings yet"):
        ranking(jobs.session)

    assert run(jobs()) is None

    (last,) = manifests.manifests(jobs.session)
    assert (last.step, last.status) == (Step.FINISH, Status.PUBLISHED)
    assert names(ranking(jobs.session)) == ["ada"]
    produce(jobs.settings, [order("bob", "o1", total_amount="7.00")])
    with monkeypatch.context() as patched:
        patched.setattr(warehouse, "ensure", fail)
        for batch_id in (2, 3):
            with pytest.raises(ExportFailed, match=r"batch \d is published, and its export .*: the disk is full"):
                run(jobs())
            assert publish.read(jobs.session).current == batch_id
            assert (ranking(jobs.session).batch_id, names(ranking(jobs.session))) == (1, ["ada"])
            produce(jobs.settings, [order("cleo", f"o{batch_id}", total_amount="9.00")])
    stopped = {found.batch_id: (found.step, found.status) for found in manifests.manifests(jobs.session)}
    assert stopped == {
        3: (Step.EXPORT, Status.STOPPED),
        2: (Step.EXPORT, Status.STOPPED),
        1: (Step.FINISH, Status.PUBLISHED),
    }
    assert '"status": "current, stopped at export"' in command(jobs, "batch", "show", "3", "--json")[1]

    assert run(jobs()) is not None

    assert {found.status for found in manifests.manifests(jobs.session)} == {Status.PUBLISHED}
    assert (ranking(jobs.session).batch_id, names(ranking(jobs.session))) == (4, ["cleo", "bob", "ada"])
    assert {row["batch_id"] for row in warehouse_rows(jobs()).values()} == {4}
    rollback.roll_back(jobs.session, rollback.planned_rollback(jobs.session, None))
    assert (ranking(jobs.session).batch_id, names(ranking(jobs.session))) == (3, ["cleo", "bob", "ada"])


def test_r24_erased_customers_are_in_no_ranking_before_maintenance_and_in_no_row_after_it(jobs: Jobs) -> None:
    """R24: a marker at or above the batch's cut hides them at once; a later batch keeps who came back."""
    session = jobs.session
    produce(jobs.settings, [order(customer, "o1") for customer in ("gone", "back", "kept")])
    assert run(jobs()) is not None
    ends = dict(end_offsets(jobs.settings, 4))
    of = [Erasure(who, Position(partition_of(who, 4), ends[partition_of(who, 4)]), 0) for who in ("gone", "back")]
    assert names(ranking(session)) == ["back", "gone", "kept"]
    for each in of:
        session.execute(
            "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (%s, %s, %s, %s) USING TIMESTAMP %s",
            (each.customer_id, *MARKER, str(each.position.offset), each.position.offset),
        )
    assert names(ranking(session)) == ["kept"]
    produce(jobs.settings, [order("back", "o2") for _ in range(3)])
    assert run(jobs(), force=True) is not None

    removed = erased_rankings.remove(jobs(), of)

    assert removed > 0
    old, new = publish.read(session).complete
    assert {row.customer_id for row in rows_of(session, old)} == {"kept"}
    # Here the second batch's cut is above the marker only where "back" has records; "gone" has no erasure in this log.
    assert {row.customer_id for row in rows_of(session, new)} >= {"back", "kept"}
    assert erased_rankings.remove(jobs(), of) == 0


def rows_of(session: Session, batch: Published) -> list[Any]:
    select = f"SELECT customer_id, batch_id, WRITETIME(value) AS at FROM customer_rankings_{batch.slot}"
    rows = list(session.execute(select))
    assert all(row.at == row.batch_id for row in rows), "R17: the batch id is the write timestamp"
    return rows


def test_days_of_the_past_and_files_are_commands(jobs: Jobs, tmp_path: Path) -> None:
    """A dry run changes nothing; what is not possible is said before anything starts; the journal keeps a backfill."""
    produce(jobs.settings, random_messages(seed=62, count=120))
    done = run(jobs())
    assert done is not None
    target = tmp_path / "day.parquet"
    days = ("--from", "2024-06-28", "--to", "2024-06-30")

    code, told = child(jobs, "batch", "backfill", *days, "--dry-run")

    assert (code, told.count("2024-06-"), "Nothing was changed." in told) == (0, 3, True)
    assert {day for day, _ in warehouse_rows(jobs())} == {today()}
    code, told = child(jobs, "backfill", *days)
    assert code == 0, told
    assert f"3 days are what batch 1 knows of them, {done.rows} customers each" in told
    assert {day for day, _ in warehouse_rows(jobs())} == {today(), *(date(2024, 6, day) for day in (28, 29, 30))}
    entry = journal.entries(jobs.session, 1)[0]
    assert (entry.action, entry.what, entry.done) == (
        "backfill",
        "days 2024-06-28 to 2024-06-30 of the warehouse, from batch 1",
        True,
    )
    code, told = child(jobs, "export", "--as-of", "2024-06-30", str(target))
    assert code == 0, told
    exported = {row["customer_id"]: row for row in pq.read_table(target).to_pylist()}
    assert exported == {
        customer: row for (day, customer), row in warehouse_rows(jobs()).items() if day == date(2024, 6, 30)
    }
    for arguments, rule in (
        (("export", "--as-of", "2024-06-30", str(target)), "--force replaces one"),
        (("export", "--as-of", "2999-01-01", str(target), "--force"), "a day from 1970-01-01 to today"),
        (("batch", "backfill", "--from", "2024-06-30", "--to", "2024-06-28"), "not after --to, 2024-06-28"),
        (("batch", "backfill", "--from", "2024-06-30", "--to", "2999-06-28"), "a day from 1970-01-01 to today"),
    ):
        code, told = command(jobs, *arguments)
        assert code == 1
        assert rule in told
