"""One Spark session for all tests that ask for it, and batch jobs on it, each on a warehouse of its own."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cassandra.cluster import Session
from pyspark.sql import SparkSession

from batch_layer.job import Job
from batch_layer.session import CATALOG, catalog, spark_session
from common.servers.cassandra import connected
from common.settings import BatchSettings, Settings
from infra.paths import JARS


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Production's own session: a JVM's start is too slow for one a test."""
    home: Path = tmp_path_factory.mktemp("spark")
    with spark_session(Settings(home=home), JARS / "spark") as session:
        yield session


def on_warehouse(spark: SparkSession, settings: Settings) -> SparkSession:
    """A session on the same JVM with the catalog of `settings`."""
    session = spark.newSession()
    for name, value in catalog(settings).items():
        session.conf.set(name, value)
    session.sql(f"USE {CATALOG}")  # Spark reads a catalog's configuration at its first use, from the active session
    return session


@dataclass
class Jobs:
    """Makes jobs on one system; what they tell is kept, and a test may step in after any step."""

    spark: SparkSession
    session: Session
    settings: Settings
    told: list[str] = field(default_factory=list)

    def __call__(self, at: Callable[[str], None] = lambda step: None) -> Job:
        def tell(step: str, figures: str, seconds: float) -> None:
            self.told.append(f"{step}: {figures}")
            at(step)

        spark = on_warehouse(self.spark, self.settings)
        return Job(self.settings, spark, self.session, clock=lambda: time.time_ns() // 1000, tell=tell)


@pytest.fixture
def jobs(spark: SparkSession, system: Settings) -> Iterator[Jobs]:
    """Jobs on a fresh system, whose master has few buckets: each is a task."""
    settings = system.model_copy(update={"batch": BatchSettings(buckets=3)})
    with connected(settings) as session:
        yield Jobs(spark, session, settings)
