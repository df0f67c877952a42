"""Batch jobs on a Spark session that tests share, each system on a warehouse of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from cassandra.cluster import Session
from pyspark.sql import SparkSession

from batch_layer.decisions import Decisions
from batch_layer.job import Job
from batch_layer.session import CATALOG, catalog
from common.settings import Settings
from common.tables import Tables


def on_warehouse(spark: SparkSession, settings: Settings) -> SparkSession:
    """A session on the same JVM with the catalog of `settings`."""
    session = spark.newSession()
    for name, value in catalog(settings).items():
        session.conf.set(name, value)
    session.sql(f"USE {CATALOG}")  # Spark reads a catalog's configuration at its first use, from the active session
    return session


def without_servers(spark: SparkSession, settings: Settings) -> Job:
    """A job on the warehouse of `settings`, whose clock stands at 0 and whose session is never asked."""
    return Job(settings, on_warehouse(spark, settings), cast(Any, None), clock=lambda: 0, report=lambda *_: None)


UNAUDITED: Final = Decisions(accept_unaudited=True, reason="no speed layer runs here")
"""What an operator decides who publishes batches without a speed layer (R18)."""


@dataclass
class Jobs:
    """Makes jobs on one system; what they report is kept, and a test may step in after any step."""

    spark: SparkSession
    session: Session
    settings: Settings
    told: list[str] = field(default_factory=list)
    decisions: Decisions = UNAUDITED

    def elsewhere(self, home: Path) -> "Jobs":
        """The same system from another machine, which sees no file lock of this one's, once the lease has expired."""
        self.session.execute(f"TRUNCATE {Tables.batch_owner}")
        batch = self.settings.batch.model_copy(update={"warehouse": self.settings.warehouse})
        return Jobs(self.spark, self.session, self.settings.model_copy(update={"home": home, "batch": batch}))

    def __call__(self, at: Callable[[str], None] = lambda step: None) -> Job:
        def report(step: str, figures: str, seconds: float) -> None:
            self.told.append(f"{step}: {figures}")
            at(step)

        spark = on_warehouse(self.spark, self.settings)
        return Job(
            self.settings,
            spark,
            self.session,
            clock=lambda: time.time_ns() // 1000,
            report=report,
            decisions=self.decisions,
        )
