"""Features on the running system: a batch's export in Feast, then a live delta pushed by what `watch` shows."""

import json
from pathlib import Path

import httpx
import pytest

from batch_layer.export.folder import sync
from batch_layer.run import run
from common.log.partition import partition_of
from common.log.position import Position
from tests.support.batch_system import produce
from tests.support.builders import order, random_messages
from tests.support.feast import FeastRepository, Vector, needs_feast
from tests.support.features import features_of
from tests.support.harness import Child
from tests.support.jobs import Jobs
from tests.support.stage import Stage

pytestmark = [pytest.mark.feast, pytest.mark.spark, pytest.mark.slow, needs_feast]


def test_the_whole_way_from_a_batch_and_a_delta_to_a_vector(scene: Stage, scene_jobs: Jobs, tmp_path: Path) -> None:
    """R9, R21: the vector of a batch is its answer; behind a delta it is the merged answer."""
    scene.start("speed", "run")
    produce(
        scene.settings, [order("ada", "o1", total_amount="10.00"), *random_messages(seed=95, count=150, customers=20)]
    )
    scene.wait_applied(scene.ends())
    batch = run(scene_jobs())
    assert batch is not None
    repository = FeastRepository.copied(tmp_path / "repository")
    made = sync(scene_jobs(), repository.features)
    repository.apply()
    repository.materialize(made.known_at)
    customers = sorted(
        {row.customer_id for row in scene.session.execute(f"SELECT customer_id FROM batch_view_{batch.slot}")}
    )
    before = repository.vectors(customers)
    assert before == answered(scene, customers, as_of=str(made.known_at.date()))
    produce(scene.settings, [order("ada", "o2", total_amount="5.55")])
    scene.wait_applied(scene.ends())
    partition = partition_of("ada", scene.partitions)
    since = Position(partition, batch.plan.cut[partition])
    watch = Child(scene.settings, "watch", "ada", "--json", "--no-alerts", "--from", str(since), "--limit", "1")
    line = watch.finish(120)
    assert json.loads(line)["entity_id"] == "o2"

    pushed = repository.run("push.py", "--api", scene.url, told=line)

    assert pushed.returncode == 0, pushed.stderr
    after = repository.vectors(customers)
    assert after["ada"] == answered(scene, ["ada"])["ada"]
    assert after["ada"]["total_revenue_cents"] == 1555
    del after["ada"], before["ada"]
    assert after == before


def answered(scene: Stage, customers: list[str], **asked: object) -> dict[str, Vector]:
    found = httpx.post(
        f"{scene.url}/v1/customers/metrics:batch-get", json={"customer_ids": customers, **asked}, timeout=60
    ).json()
    return {each["customer_id"]: features_of(each["metrics"], each["profile"] or {}) for each in found["results"]}
