"""One Spark session for all tests that ask for it, and batch jobs on it, each on a warehouse of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Session
from pyspark.sql import SparkSession

from batch_layer.session import spark_session
from common.servers.cassandra import connected
from common.settings import BatchSettings, Settings
from infra.paths import JARS
from tests.support.jobs import Jobs
from tests.support.systems import patient


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Production's own session: a JVM's start is too slow for one a test."""
    home: Path = tmp_path_factory.mktemp("spark")
    with spark_session(Settings(home=home), JARS / "spark") as session:
        yield session


@pytest.fixture
def jobs(spark: SparkSession, system: Settings) -> Iterator[Jobs]:
    """Jobs on a fresh system, whose master has few buckets: each is a task."""
    settings = system.model_copy(update={"batch": BatchSettings(buckets=3)})
    with connected(patient(settings)) as session:
        yield Jobs(spark, session, settings)


@pytest.fixture
def session(system: Settings) -> Iterator[Session]:
    """A Cassandra session on the fresh system."""
    with connected(patient(system)) as session:
        yield session
