"""`lambda360 lineage` on kept events, without a server."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batch_layer.lineage.kept import Kept
from batch_layer.manifest import Status
from common.algebra.cut import Cut
from common.settings import LineageSettings, Settings
from infra.cli import lambda360
from infra.commands.lineage_text import numbers
from tests.support.lineage import keep, manifest, report


@pytest.fixture
def home(tmp_path: Path) -> Path:
    kept = Kept(tmp_path / "lineage", "lambda360")
    keep(kept, manifest(1, gate=report({"file:///in/orders.csv": {"order": 1200}})))
    bad = report({"file:///in/bad.csv": {"refund": 2, "rejected": 1}}, since=Cut.of({0: 100, 1: 10}))
    keep(kept, manifest(2, Status.STOPPED, gate=bad), manifest(2, attempt=2, gate=bad))
    return tmp_path


def run(home: Path, *arguments: str, **lineage: str) -> Result:
    settings = Settings(home=home, lineage=LineageSettings(**lineage))
    return CliRunner().invoke(lambda360, ["lineage", *arguments], obj=settings)


def test_show_draws_the_newest_run_with_its_inputs_and_outputs(home: Path) -> None:
    shown = run(home, "show")

    assert shown.exit_code == 0
    assert [line.rstrip() for line in shown.output.splitlines()] == [
        "batch 2 attempt 1  START    2026-03-03T21:20:00Z  step audit",
        "batch 2 attempt 1  FAIL     2026-03-03T21:20:00Z  step audit",
        "batch 2 attempt 2  START    2026-03-03T21:20:00Z  step finish",
        "batch 2 attempt 2  COMPLETE 2026-03-03T21:20:00Z  step finish",
        "read",
        "  /in/bad.csv                     3 rows; 2 refund, 1 rejected",
        "  customer_events                 3 rows; 0:100:200 1:10:20",
        "  events                          version 1002",
        "  rules that did not hold: amount_huge",
        "wrote",
        "  events                          version 1002",
        "  quarantine                      2 rows",
        "  quality                         5 rows",
        "  batch_view_c                    42 rows; version 2",
        "  customer_metrics                42 rows",
        "  features                        42 rows",
        "  answers                         version 2",
    ]


def test_show_as_json_prints_the_events_themselves(home: Path) -> None:
    lines = run(home, "show", "1", "--json").output.splitlines()

    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]


def test_impact_lists_what_a_bad_file_touches(home: Path) -> None:
    listed = run(home, "impact", "bad.csv")

    assert listed.output.splitlines() == [
        "origin: /in/bad.csv",
        "  added in batch 2: 2 refund, 1 rejected",
        "touched",
        "  customer_events                 batch 2",
        "  events                          batch 2",
        "  batch_view_c                    batch 2                 state.refund_count, state.refunded",
        "  customer_metrics                batch 2                 total_refunded, net_revenue",
        "  answers                         batch 2                 total_refunded, net_revenue",
        "  quarantine                      batch 2",
        "  quality                         batch 2",
        "  features                        batch 2                 total_refunded_cents, net_revenue_cents",
        "published batches: 2",
        "metrics: total_refunded, net_revenue",
        "Its records count in every later batch until they are taken back (docs/taking-back.md).",
        "The speed layer applied the same records: its facts, deltas and alerts are touched, too.",
    ]


def test_impact_as_json_has_every_column(home: Path) -> None:
    found = json.loads(run(home, "impact", "events", "--json").output)

    assert found["target"] == {"role": "master", "name": str(Path("var/warehouse/lambda360/events").absolute())}
    assert found["batches"] == [1, 2]
    assert len(next(each for each in found["datasets"] if each["short"] == "answers")["columns"]) == 25


def test_what_is_not_there_is_named_with_what_is(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")

    assert "BATCH_ID: 9: a batch whose run is kept; there are: 1, 2" in str(run(home, "show", "9").exception)
    assert "DATASET: 'nothing': a part of a run" in str(run(home, "impact", "nothing").exception)
    assert run(empty, "show").output == "no run is kept yet; `lambda360 batch run` keeps the first\n"
    assert "LAMBDA360_LINEAGE_URL" in str(run(home, "send").exception)


def test_an_endpoint_that_does_not_take_the_kept_events_is_an_error_of_one_line(home: Path) -> None:
    sent = run(home, "send", url="http://127.0.0.1:9/api/v1/lineage")

    assert "the endpoint accepted 0 of 6 events, and not the next: ConnectError" in str(sent.exception)


def test_numbers_are_written_as_people_write_them() -> None:
    assert numbers([1, 3, 4, 5, 9]) == "1, 3 to 5, 9"
