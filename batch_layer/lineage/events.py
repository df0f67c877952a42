"""From a run's manifest to its OpenLineage events. Pure: equal manifests give equal events.

A run of OpenLineage is one attempt of a batch: START when it begins, then one of COMPLETE when it is published, FAIL
when it stopped, and ABORT when it was killed and a later attempt or run took its place.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    documentation_job,
    error_message_run,
    job_type_job,
    processing_engine_run,
)
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

from batch_layer.lineage import facets
from batch_layer.lineage.datasets import Names
from batch_layer.lineage.inputs import read_by
from batch_layer.lineage.outputs import written_by
from batch_layer.manifest import Manifest, Status
from common.algebra.dates import datetime_of
from common.settings import Settings

ENDS: Final = {Status.PUBLISHED: RunState.COMPLETE, Status.STOPPED: RunState.FAIL}
"""The event that ends an attempt, by the status that its run has then."""
_DESCRIPTION: Final = "The nightly job: archives the log, judges what is new, recomputes every customer, and publishes."


@dataclass(frozen=True, slots=True)
class Deployment:
    """What all events of one deployment have in common."""

    settings: Settings
    topic_id: str
    spark: str
    """Spark's version."""

    def run_id(self, manifest: Manifest, attempt: int) -> str:
        """Returns the id of an attempt: always the same one, and a UUID in the order of time, as OpenLineage asks."""
        of = (self.topic_id, self.settings.cassandra.keyspace, manifest.batch_id, attempt)
        return str(generate_static_uuid(datetime_of(manifest.started_at), repr(of).encode()))


def due(manifest: Manifest, kept: Collection[tuple[int, str]]) -> Iterator[tuple[int, RunState]]:
    """Yields the attempts and events that the manifest calls for and that are not `kept` yet, in their order.

    `kept` has the attempts and types of events of this batch. An attempt that began, and has no end, is aborted by the
    next one, and so is the last one of a run that is abandoned: no attempt of its own marks it so.
    """
    ends = {str(end.value) for end in (RunState.COMPLETE, RunState.FAIL, RunState.ABORT)}
    for attempt in range(1, manifest.attempt):
        known = {kind for number, kind in kept if number == attempt}
        if "START" in known and not ends & known:
            yield attempt, RunState.ABORT
    if manifest.status is Status.ABANDONED:
        return
    known = {kind for number, kind in kept if number == manifest.attempt}
    if "START" not in known:
        yield manifest.attempt, RunState.START
    end = ENDS.get(manifest.status)
    if end is not None and not ends & known:
        yield manifest.attempt, end


def event(of: Deployment, manifest: Manifest, attempt: int, state: RunState, at: int) -> RunEvent:
    """Returns the event of an attempt; `at` is when it happened, in microseconds since the epoch (UTC).

    It holds no reason of an operator or an error, since these may name customers; the manifest has them.
    """
    names = Names(of.settings)
    ended = state in (RunState.COMPLETE, RunState.FAIL)
    return RunEvent(
        eventType=state,
        eventTime=datetime_of(at).isoformat(),
        run=Run(runId=of.run_id(manifest, attempt), facets=_of_run(of, manifest, attempt, state)),
        job=Job(namespace=names.job.namespace, name=names.job.name, facets=_of_job()),
        inputs=[] if state is RunState.ABORT else read_by(manifest, names, of.topic_id),
        outputs=written_by(manifest, names) if ended else [],
        producer=facets.PRODUCER,
    )


def _of_run(of: Deployment, manifest: Manifest, attempt: int, state: RunState) -> dict[str, RunFacet]:
    found: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            name="spark", version=of.spark, producer=facets.PRODUCER
        ),
        facets.RUN: facets.BatchRunFacet(
            batchId=manifest.batch_id,
            attempt=attempt,
            step=str(manifest.step),
            status=str(Status.ABANDONED if state is RunState.ABORT else manifest.status),
            slot=manifest.slot,
            logicVersion=manifest.plan.logic_version,
            validationVersion=manifest.plan.validation_version,
            seconds=manifest.seconds,
            producer=facets.PRODUCER,
        ),
    }
    if state is RunState.FAIL:
        found["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=f"the run stopped in its step {manifest.step}; `lambda360 batch show {manifest.batch_id}` has the "
            "reason",
            programmingLanguage="PYTHON",
            producer=facets.PRODUCER,
        )
    return found


def _of_job() -> dict[str, JobFacet]:
    return {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="LAMBDA360", jobType="JOB", producer=facets.PRODUCER
        ),
        "documentation": documentation_job.DocumentationJobFacet(description=_DESCRIPTION, producer=facets.PRODUCER),
    }


def encoded(made: RunEvent) -> bytes:
    """Returns the event as one line of JSON, without the line's end."""
    return msgspec.json.encode(Serde.to_dict(made), order="deterministic")
