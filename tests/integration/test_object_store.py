"""R15, R16 and R24 on a warehouse in an object store, without servers: what a local one gives, to the byte."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from common.settings import BatchSettings, Settings
from infra.paths import ROOT
from tests.support.object_store import CREDENTIALS, ObjectStore, object_store
from tests.support.release import THIS

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(3600)]
STORY = ("-m", "tests.support.lake_story")
AWAY = """
import os, sys
from common.errors import WarehouseUnavailable
from common.settings import load_settings
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.session import spark_errors, spark_session
from batch_layer.view.recompute import recomputed
from infra.paths import JARS
from tests.support.builders import random_log
from tests.support.masters import commit

settings = load_settings(os.environ)
with spark_session(settings, JARS / "spark") as spark:
    job = Job(settings, spark, None, clock=lambda: 0, report=lambda *_: None)
    master.ensure(job)
    head = commit(job, random_log(seed=5, count=40).records)
    states = recomputed(job, head.snapshot, head.offsets)
    print("planned", flush=True)
    sys.stdin.readline()
    for doing in (lambda: states.collect(), lambda: master.head(job)):
        try:
            with spark_errors("computing"):
                doing()
        except WarehouseUnavailable as error:
            print(error, flush=True)
    states.collect()
"""
"""Plans a recomputation, waits for a line, and then needs the store: in a task, by Arrow; in the driver, by Iceberg;
and at last where no step would translate the error."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with object_store(tmp_path) as running:
        yield running


def environment(home: Path, **batch: object) -> dict[str, str]:
    settings = Settings(home=home, batch=BatchSettings.model_validate({"buckets": 3, **batch}))
    return {**THIS.environment(settings), **CREDENTIALS, "PYTHONPATH": str(ROOT)}


def told(environ: dict[str, str]) -> bytes:
    done = subprocess.run([sys.executable, *STORY], env=environ, capture_output=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr[-3000:].decode()
    return done.stdout


def test_every_step_leaves_in_an_object_store_what_it_leaves_on_a_disk(store: ObjectStore, tmp_path: Path) -> None:
    """R15, R16, R24: appended, exported, replaced, compacted, expired, erased, and orphans removed.

    The prefix has a space, a percent sign and a letter beyond ASCII.
    """
    local = told(environment(tmp_path / "local"))
    home = tmp_path / "away"
    home.mkdir()

    away = told(environment(home, **store.batch("a b%20c ü/lake", home)))

    assert away == local
    found = msgspec.json.decode(away)
    assert found["orphan"] == "NotFound"
    assert found["erased"][0][0] > 0  # records that are gone
    assert found["compacted"] == found["appended"]
    assert found["appended"]["states"]
    assert not (home / "warehouse").exists()
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode()
    written = [path for path in home.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if secret in path.read_bytes()] == []


def test_a_store_that_goes_away_meanwhile_is_one_error_that_names_the_settings(
    store: ObjectStore, tmp_path: Path
) -> None:
    """In a task, which opens data files by Arrow, and in the driver, which reads tables by Iceberg."""
    options = tmp_path / "spark.conf"
    options.write_text(
        "# Iceberg itself reads a table's metadata 20 times\nspark.sql.catalog.lake.s3.retry.num-retries 0\n"
    )
    environ = environment(tmp_path, **store.batch("lake", tmp_path), spark_options=str(options))
    command = [sys.executable, "-c", AWAY]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "planned\n", process.communicate()[1][-3000:]
        store.end()

        output, errors = process.communicate("\n", timeout=1500)

    lines = output.splitlines()
    assert (len(lines), process.returncode) == (2, 1), (output, errors[-3000:])
    assert errors.splitlines()[-1].startswith("common.errors.WarehouseUnavailable: working with Spark: ")
    for line, sign in zip(lines, ("AWS Error NETWORK_CONNECTION", "Connection refused"), strict=True):
        assert sign in line
        assert "LAMBDA360_BATCH_S3_ENDPOINT" in line


def test_without_credentials_the_error_says_where_they_are_looked_for(store: ObjectStore, tmp_path: Path) -> None:
    """moto takes anonymous requests, so the first to miss them is Iceberg's client."""
    environ = environment(tmp_path, **store.batch("lake", tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environ[name]
    environ["HOME"] = str(tmp_path)  # a profile of whoever runs this is not to be found

    done = subprocess.run(
        [sys.executable, *STORY], env=environ, capture_output=True, text=True, timeout=1500, check=False
    )

    last = done.stderr.splitlines()[-1]
    assert last.startswith("common.errors.WarehouseUnavailable: "), done.stderr[-3000:]
    assert "Unable to load credentials" in last
    assert "AWS_ACCESS_KEY_ID" in last
