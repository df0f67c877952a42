"""Progress of a Spark step: how many records its running stages have read so far. Knows no step."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from py4j.protocol import Py4JError

from batch_layer.job import Job

log = structlog.get_logger(__name__)
SECONDS: Final = 2.0


@contextmanager
def watched(job: Job, step: str, total: int) -> Iterator[None]:
    """Calls the job's `progress` about every two seconds inside, with the records that were read of about `total`.

    The figure comes from Spark's own heartbeats, so it is a little late, and it never falls.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(job, step, total, ended), name="batch-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(job: Job, step: str, total: int, ended: threading.Event) -> None:
    seen = 0
    while not ended.wait(SECONDS):
        try:
            read = _records_read(job)
        except Py4JError as error:  # Spark is stopping; progress is not worth an error
            log.debug("no_progress", error=str(error))
            return
        if read > seen:
            seen = read
            job.progress(step, min(seen, total), total)


def _records_read(job: Job) -> int:
    """The input records of the stages that are running now."""
    store: Any = job.spark.sparkContext._jsc.sc().statusStore()  # noqa: SLF001 # Spark has no other way from Python
    active = store.activeStages()
    return sum(int(active.apply(number).inputRecords()) for number in range(active.size()))
