"""What is touched if a file, a column, a view or a metric is bad: what a person would list, and nothing else."""

from pathlib import Path

import pytest

from batch_layer.lineage.impact import Impact, impact
from batch_layer.lineage.kept import Kept
from batch_layer.lineage.target import Role, Target, found
from batch_layer.manifest import Status
from common.algebra.metrics import METRICS
from common.errors import UsageError
from tests.support.lineage import keep, manifest, report

ORDERS = [
    *("total_revenue", "order_count", "avg_order_value", "first_order_date", "last_order_date"),
    *("days_since_last_order", "customer_lifetime_days", "estimated_clv", "net_revenue", "revenue_90d", "orders_90d"),
]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Batch 1 of a good file, 2 of a good and a bad one, 3 stopped, 4 of a producer alone."""
    kept = Kept(tmp_path, "lambda360")
    keep(
        kept,
        manifest(1, gate=report({"file:///in/monday/orders.csv": {"order": 5, "refund": 1}})),
        manifest(2, gate=report({"file:///in/tuesday/orders.csv": {"order": 4}, "file:///in/bad.csv": {"refund": 2}})),
        manifest(3, Status.STOPPED, gate=report({"file:///in/profiles.csv": {"customer_profile": 9}})),
        manifest(4, gate=report({"shop": {"support_ticket": 1}, "broken": {"rejected": 3}})),
    )
    return kept


def of(kept: Kept, text: str) -> Impact:
    events = kept.events()
    return impact(found(text, events), events)


def listed(made: Impact) -> dict[str, tuple[list[int], list[str]]]:
    return {each.short: (each.batches, each.columns) for each in made.datasets}


def test_a_bad_file_touches_what_was_computed_from_its_records_from_its_batch_on(kept: Kept) -> None:
    """R16: facts never expire, so each later batch holds them; the gate's tables are of the new records alone."""
    made = of(kept, "bad.csv")

    assert made.target == Target(Role.ORIGIN, "/in/bad.csv")
    assert made.added == {2: {"refund": 2}}
    assert made.batches == [2, 4]
    refunds = ["state.refund_count", "state.refunded"]
    assert listed(made) == {
        "customer_events": ([2], []),
        "events": ([2, 3, 4], []),
        "batch_view_c": ([2], refunds),
        "batch_view_b": ([4], refunds),
        "answers": ([2, 4], ["total_refunded", "net_revenue"]),
        "customer_metrics": ([2, 4], ["total_refunded", "net_revenue"]),
        "features": ([2, 4], ["total_refunded_cents", "net_revenue_cents"]),
        "quarantine": ([2], []),
        "quality": ([2], []),
    }
    assert made.metrics == ["total_refunded", "net_revenue"]


def test_a_good_file_of_the_same_run_touches_other_metrics(kept: Kept) -> None:
    made = of(kept, "tuesday/orders.csv")

    assert made.metrics == ORDERS
    assert made.batches == [2, 4]


def test_a_file_whose_records_were_all_rejected_touches_no_answer(kept: Kept) -> None:
    made = of(kept, "broken")

    assert made.metrics == []
    assert set(listed(made)) == {"customer_events", "events", "quarantine", "quality"}


def test_a_file_that_only_a_stopped_run_read_touches_what_that_run_wrote_and_later_batches(kept: Kept) -> None:
    made = of(kept, "profiles.csv")

    assert made.batches == [4]
    assert made.metrics == ["age_years", "tenure_days"]
    assert listed(made)["quality"] == ([3], [])
    assert listed(made)["features"] == ([4], ["age_years", "tenure_days", "country", "segment"])
    assert listed(made)["batch_view_b"] == (
        [4],
        ["state.signed_up_date", "state.birth_date", "state.country", "state.segment"],
    )


def test_a_column_touches_the_measures_and_metrics_that_read_it(kept: Kept) -> None:
    made = of(kept, "events.amount")

    assert listed(made)["batch_view_c"][1] == ["state.revenue", "state.refunded"]
    money = ["total_revenue", "avg_order_value", "estimated_clv", "total_refunded", "net_revenue", "revenue_90d"]
    assert made.metrics == money
    assert made.batches == [1, 2, 4]
    assert "events" not in listed(made)


def test_a_column_that_decides_which_fact_is_current_touches_every_metric(kept: Kept) -> None:
    """R4."""
    assert of(kept, "events.version").metrics == [metric.name for metric in METRICS]


def test_a_column_that_no_answer_reads_touches_none(kept: Kept) -> None:
    made = of(kept, "events.campaign_id")

    assert (made.metrics, made.batches) == ([], [1, 2, 4])
    assert set(listed(made)) == {"quarantine", "quality"}


def test_the_log_and_the_master_touch_everything_behind_them(kept: Kept) -> None:
    behind = {"events", "quarantine", "quality", "batch_view_b", "batch_view_c"}
    behind |= {"customer_metrics", "features", "answers"}

    assert set(listed(of(kept, "customer_events"))) == behind
    assert set(listed(of(kept, "events"))) == behind - {"events"}
    assert of(kept, "events").metrics == [metric.name for metric in METRICS]


def test_a_view_touches_the_answers_of_the_batches_in_its_slot(kept: Kept) -> None:
    made = of(kept, "batch_view_c")

    assert made.batches == [2]
    assert set(listed(made)) == {"customer_metrics", "features", "answers"}
    assert made.metrics == [metric.name for metric in METRICS]


def test_a_measure_touches_its_column_in_each_view_and_the_metrics_that_read_it(kept: Kept) -> None:
    for name in ("refunded", "state.refunded", "batch_view_b.state.refunded"):
        made = of(kept, name)
        assert made.metrics == ["total_refunded", "net_revenue"]
        assert listed(made)["batch_view_b"] == ([1, 4], ["state.refunded"])


def test_a_metric_touches_itself_in_the_answers(kept: Kept) -> None:
    made = of(kept, "at_risk")

    assert listed(made) == dict.fromkeys(("customer_metrics", "features", "answers"), ([1, 2, 4], ["at_risk"]))
    assert of(kept, "answers.at_risk") == made


def test_nothing_is_computed_from_the_quarantine(kept: Kept) -> None:
    assert of(kept, "quarantine").datasets == []


def test_a_file_is_named_by_its_path_its_uri_or_the_end_of_it(kept: Kept) -> None:
    names = ("/in/bad.csv", "file:///in/bad.csv", "in/bad.csv", "bad.csv")

    assert {found(name, kept.events()) for name in names} == {Target(Role.ORIGIN, "/in/bad.csv")}


def test_a_file_that_a_run_counted_by_its_folder_is_found_by_it(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "lambda360")
    keep(kept, manifest(1, gate=report({"file:///in/*": {"order": 900}})))

    assert found("/in/a.csv", kept.events()) == Target(Role.ORIGIN, "/in/*")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("orders.csv", "one dataset, by more of its path; there are /in/monday/orders.csv, /in/tuesday/orders.csv"),
        ("nothing.csv", "a part of a run that is kept"),
        ("events.nothing", "/in/bad.csv"),
        ("rders.csv", "a part of a run that is kept"),
    ],
)
def test_what_names_nothing_or_several_files_is_refused_with_what_there_is(kept: Kept, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        found(text, kept.events())


def test_without_a_kept_run_the_way_to_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run is kept yet"):
        found("events", Kept(tmp_path, "lambda360").events())


def test_an_export_that_holds_metrics_by_their_names_is_touched_where_they_are(kept: Kept) -> None:
    """Such an output needs no line in here: the columns of its schema say which metrics it holds."""
    line = kept.lines(4)[-1].replace(b'"outputs":[', b'"outputs":[' + EXPORT)
    line = line.replace(b'"batchId":4', b'"batchId":5').replace(b'"runId":"', b'"runId":"5')
    assert kept.add(line)

    assert listed(of(kept, "bad.csv"))["customer_metrics"] == ([5], ["total_refunded"])


EXPORT = b"""{"namespace":"file","name":"/w/customer_metrics","facets":{"schema":{"fields":
[{"name":"as_of"},{"name":"total_revenue"},{"name":"total_refunded"}]}}},""".replace(b"\n", b"")
