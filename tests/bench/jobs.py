"""A job on a warehouse of its own, for what needs Spark and no servers."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from batch_layer.job import Job
from batch_layer.session import spark_session
from common.settings import BatchSettings, Settings
from infra.paths import JARS


@contextmanager
def own_job(batch: BatchSettings) -> Iterator[Job]:
    """Yields a job whose session is never asked; its home is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="lambda360-bench-", ignore_cleanup_errors=True) as home:
        settings = Settings(home=Path(home), batch=batch)
        with spark_session(settings, JARS / "spark") as spark:
            yield Job(settings, spark, cast(Any, None), clock=lambda: time.time_ns() // 1000, report=lambda *_: None)
