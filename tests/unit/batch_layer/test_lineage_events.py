"""A run's OpenLineage events: valid by OpenLineage's schemas, each once, and without a customer's id."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from msgspec.structs import replace

from batch_layer.lineage import facets
from batch_layer.lineage.kept import Kept
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.reports import AuditReport
from batch_layer.reports import Finding as Drift
from common.algebra.cut import Cut
from common.algebra.measures import MEASURES
from common.algebra.metrics import METRICS
from common.algebra.payloads import payload_columns
from tests.support.lineage import deployment, documents, keep, manifest, report
from tests.support.openlineage import Validate, facets_of, of_package, of_spec

SPEC = os.environ.get("OPENLINEAGE_SPEC", "")
SCHEMAS: dict[str, Callable[[], Validate]] = {"package": of_package}
if SPEC:
    SCHEMAS["specification"] = lambda: of_spec(Path(SPEC))
BEGUN = {"step": Step.ARCHIVE, "slot": "", "rows": None, "checksum": None, "gate": None, "finished_at": None}


@pytest.fixture(params=SCHEMAS)
def validate(request: pytest.FixtureRequest) -> Validate:
    return SCHEMAS[request.param]()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path, "lambda360")


def begun(batch_id: int = 7, **more: Any) -> Manifest:
    fresh = manifest(batch_id, Status.RUNNING, **BEGUN)
    return replace(fresh, plan=replace(fresh.plan, snapshot=0), **more)


def told(kept: Kept) -> list[tuple[int, int, str]]:
    return [(each.batch_id, each.attempt, each.type) for each in kept.events()]


def dataset(document: dict[str, Any], side: str, ending: str) -> dict[str, Any]:
    [found] = [each for each in document[side] if each["name"].endswith(ending)]
    return dict(found)


def test_every_event_of_a_run_is_valid_by_the_schemas(kept: Kept, validate: Validate) -> None:
    files = report({"file:///in/orders%20old.csv": {"order": 3, "rejected": 1}, "shop": {"refund": 2}}, Cut.of({0: 9}))
    keep(kept, begun(), manifest(7, gate=files))
    keep(kept, begun(8), manifest(8, Status.STOPPED, reason="drift"), manifest(8, attempt=2))
    keep(kept, begun(9), manifest(9, Status.ABANDONED, attempt=2))

    found = documents(kept)

    assert [each["eventType"] for each in found] == [
        *("START", "COMPLETE"),
        *("START", "FAIL", "START", "COMPLETE"),
        *("START", "ABORT"),
    ]
    for each in found:
        validate(each)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("eventTime"),
        lambda event: event.update(eventTime="yesterday"),
        lambda event: event.update(eventType="DONE"),
        lambda event: event["run"].update(runId="7"),
        lambda event: event["inputs"][0].pop("namespace"),
        lambda event: event["inputs"][0]["inputFacets"]["inputStatistics"].update(rowCount="3"),
        lambda event: event["run"]["facets"][facets.RUN].pop("batchId"),
        lambda event: event["outputs"][-1]["facets"]["columnLineage"].pop("fields"),
        lambda event: event["job"]["facets"]["jobType"].pop("_producer"),
    ],
)
def test_the_schemas_refuse_what_is_no_event(kept: Kept, validate: Validate, spoil: Any) -> None:
    """Otherwise the test above would show nothing."""
    keep(kept, manifest(7))
    spoiled = documents(kept)[-1]
    spoil(spoiled)

    with pytest.raises(jsonschema.ValidationError):
        validate(spoiled)


def test_inputs_are_the_files_with_their_records_the_log_with_its_offsets_and_the_master_with_its_snapshot(
    kept: Kept,
) -> None:
    origins = {"file:///in/a%20b.csv": {"order": 3, "rejected": 1}, "shop": {"refund": 2}, "?": {"rejected": 1}}
    keep(kept, manifest(7, gate=report(origins, since=Cut.of({0: 650}))))

    complete = documents(kept)[-1]

    assert [(each["namespace"], each["name"]) for each in complete["inputs"]] == [
        ("file", "/in/a b.csv"),
        ("cloudevents", "shop"),
        ("cloudevents", "?"),
        ("kafka://127.0.0.1:19360", "customer_events"),
        ("file", str(Path("var/warehouse/lambda360/events").absolute())),
    ]
    of_file = complete["inputs"][0]["inputFacets"]
    assert of_file["inputStatistics"]["rowCount"] == 4
    assert of_file[facets.ORIGIN]["kinds"] == [{"kind": "order", "records": 3}, {"kind": "rejected", "records": 1}]
    offsets = dataset(complete, "inputs", "customer_events")["inputFacets"][facets.OFFSETS]
    assert (offsets["topicId"], offsets["partitions"]) == (
        "topic-id",
        [{"partition": 0, "fromOffset": 650, "toOffset": 700}, {"partition": 1, "fromOffset": 0, "toOffset": 70}],
    )
    master = dataset(complete, "inputs", "/events")
    assert master["facets"]["version"]["datasetVersion"] == "1007"
    assert master["inputFacets"]["dataQualityMetrics"]["rowCount"] == 7
    checks = {each["name"]: each for each in master["inputFacets"]["dataQualityAssertions"]["assertions"]}
    assert {name: (each["success"], each["severity"]) for name, each in checks.items()} == {
        "nulls_amount": (True, "error"),
        "amount_huge": (False, "warn"),
        "volume": (True, "error"),
    }
    assert (checks["amount_huge"]["expected"], checks["amount_huge"]["actual"]) == ("0.0", "0.5")


def test_outputs_are_master_quarantine_quality_the_slots_view_and_the_answers_with_their_rows(kept: Kept) -> None:
    keep(kept, manifest(7))

    complete = documents(kept)[-1]

    rows = {
        each["name"].rpartition("/")[2]: each["outputFacets"].get("outputStatistics", {}).get("rowCount")
        for each in complete["outputs"]
    }
    assert rows == {
        "events": None,
        "quarantine": 2,
        "quality": 5,
        "lambda360.batch_view_b": 42,
        "customer_metrics": 42,
        "features": 42,
        "lambda360.answers": None,
    }


def test_a_run_that_stopped_wrote_no_view_and_gives_no_reason(kept: Kept) -> None:
    keep(kept, manifest(7, Status.STOPPED, reason="the answers of ada differ"))

    failed = documents(kept)[-1]

    assert [each["name"].rpartition("/")[2] for each in failed["outputs"]] == ["events", "quarantine", "quality"]
    assert failed["run"]["facets"]["errorMessage"]["message"] == (
        "the run stopped in its step audit; `lambda360 batch show 7` has the reason"
    )


def test_columns_go_back_to_the_fields_that_the_table_of_measures_names(kept: Kept) -> None:
    """R7: derived from the tables, so a new measure or metric has its lineage without another line."""
    keep(kept, manifest(7))
    complete = documents(kept)[-1]

    view = dataset(complete, "outputs", "batch_view_b")["facets"]["columnLineage"]["fields"]
    answers = dataset(complete, "outputs", "answers")["facets"]["columnLineage"]["fields"]

    def fields(of: dict[str, Any], name: str) -> set[tuple[str, str]]:
        return {(each["field"], how["subtype"]) for each in of[name]["inputFields"] for how in each["transformations"]}

    assert {f"state.{measure.name}" for measure in MEASURES} <= set(view)
    assert set(answers) == {metric.name for metric in METRICS}
    assert fields(view, "state.revenue") == {
        ("amount", "AGGREGATION"),
        ("order_date", "GROUP_BY"),
        ("status", "FILTER"),
    }
    assert {name for name, _ in fields(answers, "net_revenue")} == {"amount", "order_date", "status", "refunded_at"}
    assert fields(answers, "age_years") == {("birth_date", "TRANSFORMATION")}
    named = {each["field"] for of in (view, answers) for each in (i for f in of.values() for i in f["inputFields"])}
    assert named - {"customer_id"} <= set(payload_columns())


def test_the_same_manifest_gives_the_same_events_and_each_is_kept_once(kept: Kept) -> None:
    """R19: a run that finishes again, or stops again, adds nothing."""
    keep(kept, begun(), manifest(7))
    before = kept.lines()

    keep(kept, begun(), manifest(7), manifest(7))

    assert kept.lines() == before
    assert not kept.add(before[-1])


def test_an_attempt_has_an_id_of_its_own_that_depends_on_deployment_batch_and_attempt_alone() -> None:
    one = deployment()
    ids = {one.run_id(manifest(batch), attempt) for batch in (7, 8) for attempt in (1, 2)}
    ids.add(replace_topic(one, "another").run_id(manifest(7), 1))

    assert len(ids) == 5
    assert {UUID(each).version for each in ids} == {7}
    assert one.run_id(manifest(7), 1) == deployment().run_id(begun(7), 1)


def replace_topic(of: Any, topic_id: str) -> Any:
    return type(of)(of.settings, topic_id, of.spark)


def test_a_killed_attempt_is_aborted_by_the_next_one_and_a_stopped_one_is_not(kept: Kept) -> None:
    keep(kept, begun(), begun(attempt=2, step=Step.LOAD), manifest(7, Status.STOPPED, attempt=2))
    keep(kept, manifest(7, attempt=3))

    assert told(kept) == [
        (7, 1, "START"),
        (7, 1, "ABORT"),
        (7, 2, "START"),
        (7, 2, "FAIL"),
        (7, 3, "START"),
        (7, 3, "COMPLETE"),
    ]


def test_a_run_that_is_abandoned_aborts_its_attempt_and_begins_none(kept: Kept) -> None:
    keep(kept, begun(), begun(attempt=2), replace(begun(attempt=3), status=Status.ABANDONED))

    assert told(kept) == [(7, 1, "START"), (7, 1, "ABORT"), (7, 2, "START"), (7, 2, "ABORT")]
    assert kept.events()[-1].run.facets.batch.step == "archive"


def test_r24_no_event_holds_a_customers_id_that_is_no_files_name(kept: Kept) -> None:
    """R24: reasons, findings and drift name customers; events have none of them."""
    drift = AuditReport(
        generation=1,
        rows=1,
        checksum="",
        is_complete=True,
        compared=1,
        skipped=0,
        facts=0,
        fact_customers=0,
        findings=(Drift("state", 1, ("zoe-4711",), "zoe-4711 has 3"),),
        accepted=("zoe-4711",),
        reason="zoe-4711 knows",
    )
    named: dict[str, Any] = {
        "audit": drift,
        "reason": "drift of zoe-4711",
        "owner": "ada@host",
        "figures": {"audit": "zoe-4711"},
    }
    gate = replace(report({"shop": {"order": 1}}), changes=("zoe-4711",), waived={"volume": "zoe-4711"})

    keep(kept, begun(**named), manifest(7, Status.STOPPED, gate=gate, **named))
    keep(kept, manifest(7, attempt=2, gate=gate, **named))

    assert len(kept.lines()) == 4
    assert not any(b"zoe" in line or b"ada@" in line for line in kept.lines())


def test_our_own_facets_have_our_prefix_and_name_their_schema(kept: Kept) -> None:
    keep(kept, manifest(7))

    own = {name: each["_schemaURL"] for name, each in facets_of(documents(kept)[-1]) if name.startswith("lambda360_")}

    assert set(own) == {facets.ORIGIN, facets.OFFSETS, facets.RUN, facets.MEASURES, facets.METRICS}
    assert all(url.startswith(f"{facets.SCHEMA}#/$defs/") for url in own.values())
