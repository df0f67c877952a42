"""Lineage of real records on Spark: what the gate saw of two files, the events of their runs, and one file's impact."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from batch_layer.decisions import Decisions
from batch_layer.gate.gate import gate
from batch_layer.job import Job
from batch_layer.lineage.emit import Emitter
from batch_layer.lineage.impact import impact
from batch_layer.lineage.kept import Kept
from batch_layer.lineage.observer import Lineage
from batch_layer.lineage.target import found
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.master import table as master
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.log.mention import finder
from common.servers.log_identity import LogIdentity
from common.settings import BatchSettings, Settings
from tests.support.builders import Log, Message, order, random_messages, refund, ticket
from tests.support.gate_memory import Kept as KeptInMemory
from tests.support.jobs import on_warehouse
from tests.support.masters import commit
from tests.support.openlineage import of_package

pytestmark = pytest.mark.spark
RULES = """
rules:
- {name: cheap, kind: row, where: amount < 100, severity: warn, says: an amount is below 1.00}
"""


class Runs:
    """Runs on one master, without servers: each archives, judges and, as far as lineage goes, publishes."""

    def __init__(self, job: Job, kept: KeptInMemory) -> None:
        self.job = job
        self.log = Log()
        self.kept = kept
        self.cut = Cut.zero()

    def run(self, batch_id: int, *messages: Message) -> None:
        """The batch is published, and lineage was told as `batch_layer.record` tells it."""
        head = commit(self.job, self.log.append(*messages))
        plan = Plan(head.snapshot, head.offsets, "logic", "validation")
        begun = Manifest(
            batch_id=batch_id, plan=plan, status=Status.RUNNING, step=Step.GATE, started_at=self.job.clock()
        )
        self.job.observe(begun)
        report = gate(self.job, plan, self.cut, batch_id, Decisions())
        ended = {
            "gate": report,
            "status": Status.PUBLISHED,
            "step": Step.FINISH,
            "slot": "abc"[batch_id % 3],
            "rows": 1,
        }
        published = Manifest(**{**{name: getattr(begun, name) for name in begun.__struct_fields__}, **ended})
        self.job.observe(published)
        self.kept.manifests.insert(0, published)
        self.cut = plan.cut


@pytest.fixture
def runs(spark: SparkSession, tmp_path: Path, kept_in_memory: KeptInMemory, monkeypatch: pytest.MonkeyPatch) -> Runs:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3, rules_file=str(rules)))
    monkeypatch.setattr("common.servers.log_identity.find", lambda session, topic: LogIdentity(topic, "topic-id", 4))
    session = cast(Any, None)
    job = Job(
        settings, on_warehouse(spark, settings), session, clock=lambda: 1_772_400_000_000_000, report=lambda *_: None
    )
    job.observe = Lineage(job, Emitter(settings))
    master.ensure(job)
    return Runs(job, kept_in_memory)


def of_file(path: str, *messages: Message) -> list[Message]:
    """The messages as an import of that file sends them."""
    return [
        Message(each.key, json.dumps({**json.loads(each.value or b"{}"), "source": f"file://{path}"}).encode())
        for each in messages
    ]


def test_the_impact_of_one_of_two_imported_files_is_what_was_computed_from_its_records(runs: Runs) -> None:
    good = of_file("/in/good.csv", *(order(f"c{n}", f"o{n}") for n in range(6)))
    bad = of_file("/in/bad.csv", *(refund(f"c{n}", f"r{n}", amount="0.01") for n in range(4)))
    runs.run(1, *good)
    runs.run(2, *bad, *of_file("/in/good2.csv", ticket("c1", "t1")))
    runs.run(3, *of_file("/in/later.csv", order("c9", "o9")))
    events = Kept.of(runs.job.settings).events()

    made = impact(found("bad.csv", events), events)

    assert made.added == {2: {"refund": 4}}
    assert made.batches == [2, 3]
    assert made.metrics == ["total_refunded", "net_revenue"]
    assert {each.short: each.batches for each in made.datasets} == {
        "customer_events": [2],
        "events": [2, 3],
        "batch_view_c": [2],
        "batch_view_a": [3],
        "customer_metrics": [2, 3],
        "features": [2, 3],
        "answers": [2, 3],
        "quarantine": [2],
        "quality": [2],
    }
    [in_quarantine] = [each for event in events for each in event.outputs if each.short == "quarantine" and each.rows]
    assert in_quarantine.rows == 4


def test_r24_events_of_generated_runs_are_valid_and_hold_no_customers_id(runs: Runs) -> None:
    """R24: of valid, rejected, retracted and erased records of customers with odd ids."""
    messages = [*random_messages(seed=5, count=240, customers=9)]
    named = sorted({each.key.decode("utf-8", "replace") for each in messages if each.key is not None})
    runs.run(1, *messages[:160])
    runs.run(2, *messages[160:])
    lines = Kept.of(runs.job.settings).lines()

    assert len(lines) == 4
    for line in lines:
        of_package()(json.loads(line))
        assert not finder(each for each in named if each)(line)
