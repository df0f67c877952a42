"""One Spark session for all tests that ask for it, and batch jobs on it, each on a warehouse of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Session
from pyspark.sql import SparkSession

from batch_layer.session import spark_session
from common.servers.cassandra import connected
from common.settings import BatchSettings, Settings, SpeedSettings
from infra.paths import JARS
from tests.support.gate_memory import Kept
from tests.support.jobs import Jobs
from tests.support.stage import Stage, stage
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
    settings = system.model_copy(update={"batch": system.batch.model_copy(update={"buckets": 3})})
    with connected(patient(settings)) as session:
        yield Jobs(spark, session, settings)


@pytest.fixture
def scene(stack: Settings) -> Iterator[Stage]:
    """A fresh system with its API up and no worker yet, whose master has few buckets: each is a task."""
    speed = SpeedSettings(session_timeout_seconds=6.0, breaker_recovery_seconds=5.0, large_refund_cents=5_000)
    with stage(stack, speed=speed, batch=BatchSettings(buckets=3)) as made:
        yield made


@pytest.fixture
def scene_jobs(spark: SparkSession, scene: Stage) -> Jobs:
    """Jobs on that system."""
    return Jobs(spark, scene.session, scene.settings)


@pytest.fixture
def session(system: Settings) -> Iterator[Session]:
    """A Cassandra session on the fresh system."""
    with connected(patient(system)) as session:
        yield session


@pytest.fixture
def kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The gate keeps in memory what it would keep in Cassandra."""
    kept = Kept()
    monkeypatch.setattr("batch_layer.manifest.manifests", lambda session: kept.manifests)
    monkeypatch.setattr("common.servers.declared_shapes.declared", kept.declared)
    monkeypatch.setattr("common.servers.declared_shapes.declare", kept.declare)
    monkeypatch.setattr("common.servers.journal.entries", lambda session, limit: kept.journal[:limit])
    monkeypatch.setattr("common.servers.journal.record", kept.record)
    return kept
