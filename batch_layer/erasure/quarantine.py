"""Takes what erasures forget out of the quarantine, if there is one (R24). Its rows are copies that the gate made."""

from collections.abc import Sequence

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.erasure.found import forgotten
from batch_layer.erasure.iceberg import Removed
from batch_layer.job import Job
from batch_layer.session import CATALOG, spark_errors
from common.log.erasure import Erasure


def remove(job: Job, of: Sequence[Erasure]) -> Removed | None:
    """Removes the copies of forgotten records, and their history; None without a quarantine. Idempotent."""
    name = lake.name_of(job.settings, "quarantine")
    if not lake.exists(job.spark, name):
        return None
    planned_from = lake.current(job, name)
    if planned_from is None:
        return Removed()
    held = job.spark.read.option("versionAsOf", planned_from).table(name)
    positions = forgotten(job, held, of).persist()
    try:
        with spark_errors("looking for erased records in the quarantine"):
            rows = positions.count()
        if rows:
            iceberg.delete(job, name, positions, planned_from)
    finally:
        positions.unpersist()
    with spark_errors("rewriting the manifests of the quarantine"):
        in_catalog = name.removeprefix(f"{CATALOG}.")
        job.spark.sql(f"CALL {CATALOG}.system.rewrite_manifests(table => '{in_catalog}')").collect()
    snapshots, files = iceberg.forget_history(job, name)
    return Removed(rows, snapshots, files)
