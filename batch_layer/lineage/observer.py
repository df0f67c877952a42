"""Watches the runs of a job, and emits their events. What fails in here fails no run: it is a warning in the log."""

from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from batch_layer.job import Job
from batch_layer.lineage.emit import Emitter
from batch_layer.lineage.events import Deployment, due, encoded, event
from batch_layer.manifest import Manifest
from common.servers import log_identity

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lineage:
    """A `batch_layer.job.Observe`."""

    job: Job
    emitter: Emitter
    _deployment: Deployment | None = field(init=False, default=None)

    def __call__(self, manifest: Manifest) -> None:
        """The events that the manifest calls for are emitted, each once. Never raises."""
        try:
            self._emit(manifest)
        except Exception as error:  # whatever it is: a run is worth more than its lineage
            log.warning("lineage of a run is incomplete", batch=manifest.batch_id, error=repr(error))

    def _emit(self, manifest: Manifest) -> None:
        for attempt, state in due(manifest, self._kept(manifest)):
            self.emitter.emit(encoded(event(self._of(), manifest, attempt, state, self.job.clock())))

    def _kept(self, manifest: Manifest) -> Collection[tuple[int, str]]:
        """The attempts and types of the kept events, but for those of another log that had the same keyspace."""
        kept = self.emitter.kept.events(manifest.batch_id)
        own = (each for each in kept if each.run.id == self._of().run_id(manifest, each.attempt))
        return {(each.attempt, each.type) for each in own}

    def _of(self) -> Deployment:
        if self._deployment is None:
            settings = self.job.settings
            identity = log_identity.find(self.job.session, settings.log.topic)
            topic_id = "" if identity is None else identity.topic_id
            self._deployment = Deployment(settings, topic_id, spark=self.job.spark.version)
        return self._deployment
