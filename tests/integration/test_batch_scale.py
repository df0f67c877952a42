"""R16 where more than one machine works: a cluster's workers, and a catalog of its own, give the local run's view."""

import csv
from pathlib import Path

import pytest

from batch_layer import manifest as manifests
from batch_layer.run import run
from batch_layer.view import publish
from common.settings import Settings
from tests.support.batch_system import expected, produce, rows_of
from tests.support.builders import random_messages
from tests.support.harness import Child
from tests.support.jobs import Jobs
from tests.support.object_store import CREDENTIALS, object_store
from tests.support.spark_cluster import standalone

pytestmark = [pytest.mark.spark, pytest.mark.slow]
UNAVAILABLE = 6
FORCED = ("batch", "run", "--force", "--accept-unaudited", "--reason", "no speed layer runs here")


def published_locally(jobs: Jobs) -> None:
    produce(jobs.settings, random_messages(seed=71, count=400, customers=40))
    assert run(jobs()) is not None


def run_by(jobs: Jobs, **batch: object) -> Settings:
    """A run by the command, with other settings of the batch layer: its figures and rows are the local run's."""
    settings = jobs.settings.model_copy(update={"batch": jobs.settings.batch.model_copy(update=batch)})
    Child(settings, *FORCED).finish(600)
    again, before = manifests.manifests(jobs.session)
    assert (again.batch_id, again.rows, again.checksum) == (before.batch_id + 1, before.rows, before.checksum)
    newest, local = sorted(publish.read(jobs.session).complete, key=lambda each: -each.batch_id)
    assert newest.plan.cut == local.plan.cut
    assert rows_of(jobs.session, newest) == rows_of(jobs.session, local) == expected(settings, newest.plan.cut)
    return settings


def test_a_run_on_a_cluster_of_two_workers_gives_the_local_runs_view_to_the_byte(jobs: Jobs, tmp_path: Path) -> None:
    """The executors archive nothing new here, so the master is made again by the cluster, too."""
    published_locally(jobs)
    options = tmp_path / "spark.conf"
    options.write_text("# both workers work\nspark.executor.memory 512m\nspark.executor.cores=1\n")
    warehouse = str(tmp_path / "warehouse of the cluster")
    with standalone(tmp_path / "cluster") as url:
        run_by(jobs, master=url, spark_options=str(options), warehouse=warehouse)
    worked = {log.parent.name for log in (tmp_path / "cluster").glob("*/app-*/*/stderr")}
    assert worked == {"0", "1"}, "each worker had an executor"


def test_a_run_with_a_jdbc_catalog_gives_the_local_runs_view_to_the_byte(jobs: Jobs, tmp_path: Path) -> None:
    published_locally(jobs)
    catalog = tmp_path / "catalog.db"
    warehouse = str(tmp_path / "its warehouse")
    run_by(jobs, catalog="jdbc", catalog_uri=f"jdbc:sqlite:{catalog}", warehouse=warehouse)
    assert catalog.stat().st_size
    assert not list(Path(warehouse).rglob("version-hint.text")), "the catalog has the pointers"


def exported(settings: Settings, file: Path) -> list[dict[str, str]]:
    """The rows of a day, without the id of the batch that they come from."""
    Child(settings, "export", "--as-of", "2024-05-01", "--format", "csv", str(file), name="export").finish(600)
    with file.open(newline="") as lines:
        return [{name: value for name, value in row.items() if name != "batch_id"} for row in csv.DictReader(lines)]


@pytest.mark.timeout(1800)
def test_a_run_with_a_jdbc_catalog_and_an_object_store_gives_the_local_runs_view_to_the_byte(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archived, recomputed, exported and maintained there; and once the store is away, one error and exit code 6."""
    published_locally(jobs)
    local = exported(jobs.settings, tmp_path / "local.csv")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with object_store(tmp_path) as store:
        settings = run_by(jobs, **store.batch("a lake %20 of ours", tmp_path))
        told = Child(settings, "batch", "maintain").finish(600)
        assert all(table in told for table in ("events", "quality", "customer_metrics"))
        assert exported(settings, tmp_path / "away.csv") == local
        assert local
        store.end()

        refused = Child(settings, *FORCED)

        assert refused.process.wait(600) == UNAVAILABLE, refused.tail()
    assert "LAMBDA360_BATCH_S3_ENDPOINT" in refused.tail()
    assert "Traceback" not in refused.tail()
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    assert secret not in repr(manifests.manifests(jobs.session))
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
