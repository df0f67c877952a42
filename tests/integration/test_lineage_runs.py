"""Lineage of whole runs on real servers: stopped, killed, resumed, abandoned, published; the endpoint is away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from batch_layer.job import Job
from batch_layer.lineage import facets
from batch_layer.lineage.emit import Emitter
from batch_layer.lineage.kept import Kept
from batch_layer.lineage.observer import Lineage
from batch_layer.run import run
from common.errors import GateClosed
from common.servers.kafka import end_offsets, topic_identity
from common.settings import LineageSettings
from tests.support.batch_system import expected, produce, served
from tests.support.builders import order
from tests.support.dying import Died, dying_after
from tests.support.jobs import Jobs
from tests.support.lineage import documents
from tests.support.openlineage import of_package

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]
STRICT = "rules:\n- {name: never, kind: row, where: amount >= 0, severity: error, says: no amount may be}\n"
LAX = "rules:\n- {name: never, kind: row, where: amount < 0, severity: error, says: no amount may be negative}\n"


def test_each_attempt_has_its_events_and_an_endpoint_that_is_away_fails_no_run(jobs: Jobs, tmp_path: Path) -> None:
    """R19: a run that stopped, one that was killed and taken up, one that was abandoned, two that were published."""
    rules = tmp_path / "rules.yaml"
    jobs.settings = jobs.settings.model_copy(
        update={
            "batch": jobs.settings.batch.model_copy(update={"rules_file": str(rules)}),
            "lineage": LineageSettings(url="http://127.0.0.1:9/api/v1/lineage"),
        }
    )
    kept = Kept.of(jobs.settings)
    produce(jobs.settings, [order("zq-lineage-secret", f"o{n}") for n in range(5)])
    rules.write_text(STRICT)
    with pytest.raises(GateClosed):
        run(observed(jobs))
    rules.write_text(LAX)
    die(jobs, "claim")
    first = run(observed(jobs))
    produce(jobs.settings, [order("bob", "o1")])
    die(jobs, "claim")
    produce(jobs.settings, [order("bob", "o2")])
    second = run(observed(jobs))

    assert first is not None
    assert second is not None
    assert served(jobs) == expected(jobs.settings, second.plan.cut)
    assert [(each.batch_id, each.attempt, each.type) for each in kept.events()] == [
        *((1, 1, "START"), (1, 1, "FAIL"), (1, 2, "START"), (1, 2, "ABORT"), (1, 3, "START"), (1, 3, "COMPLETE")),
        *((2, 1, "START"), (2, 1, "ABORT"), (3, 1, "START"), (3, 1, "COMPLETE")),
    ]
    for document in documents(kept):
        of_package()(document)
    assert not any(b"zq-lineage-secret" in line for line in kept.lines())
    last = documents(kept)[-1]
    [topic] = [each["inputFacets"][facets.OFFSETS] for each in last["inputs"] if facets.OFFSETS in each["inputFacets"]]
    assert topic["topicId"] == topic_identity(jobs.settings, jobs.settings.log.topic).topic_id
    ranges = {each["partition"]: (each["fromOffset"], each["toOffset"]) for each in topic["partitions"]}
    ends = end_offsets(jobs.settings, 4)
    assert ranges == {partition: (first.plan.cut[partition], ends[partition]) for partition in range(4)}
    [origin] = [each for each in kept.events()[-1].inputs if each.is_origin]
    assert (origin.name, origin.rows) == ("tests", 2)


def observed(jobs: Jobs, at: Callable[[str], None] = lambda step: None) -> Job:
    """A job with its lineage, as `lambda360 batch run` makes it."""
    job = jobs(at)
    job.observe = Lineage(job, Emitter(job.settings))
    return job


def die(jobs: Jobs, step: str) -> None:
    with pytest.raises(Died):
        run(observed(jobs, dying_after(step)))
