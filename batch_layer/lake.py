"""Iceberg tables of this deployment: their names, how they are made, and Iceberg's own objects. Knows no column."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from pyspark.sql import SparkSession

from batch_layer.job import Job
from batch_layer.session import CATALOG, spark_errors
from common.errors import BatchError
from common.settings import Settings

WITHOUT_BOUNDS: Final = {"write.metadata.metrics.default": "none"}
"""Manifests hold no bounds of columns: no value of a customer, which an erasure would have to find there (R24)."""


def name_of(settings: Settings, table: str) -> str:
    """Returns the table's name in Spark, which holds the keyspace's, so that each deployment has tables of its own."""
    return f"{CATALOG}.{settings.cassandra.keyspace}.{table}"


def create(
    job: Job, name: str, columns: Mapping[str, str], partitioned_by: str, properties: Mapping[str, str] = WITHOUT_BOUNDS
) -> None:
    """Creates the table where there is none. Idempotent; two runs may do it at once."""
    if exists(job.spark, name):  # an answer of the catalog, where the statement is planned by Spark each time
        return
    listed = ", ".join(f"`{column}` {kind}" for column, kind in columns.items())
    statement = f"CREATE TABLE IF NOT EXISTS {name} ({listed}) USING iceberg PARTITIONED BY ({partitioned_by})"
    try:
        with spark_errors(f"making {name}"):
            job.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {name.rpartition('.')[0]}")  # JDBC catalogs make none
            job.spark.sql(f"{statement} TBLPROPERTIES ({quoted(properties)})")
    except BatchError:
        if not exists(job.spark, name):  # if it exists, another run was first, and that is no error
            raise


def add_missing(job: Job, name: str, columns: Mapping[str, str], present: Collection[str]) -> None:
    """Adds the columns that are not among those that the table has now, `present`."""
    missing = ", ".join(f"`{column}` {kind}" for column, kind in columns.items() if column not in present)
    if missing:
        with spark_errors(f"adding columns to {name}"):
            job.spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({missing})")


def quoted(properties: Mapping[str, str]) -> str:
    """Returns table properties as a statement lists them."""
    return ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())


def exists(spark: SparkSession, name: str) -> bool:
    """Whether the table is there."""
    with spark_errors(f"looking for {name}"):
        return bool(spark.catalog.tableExists(name))


def holds(job: Job, name: str, column: str, value: int) -> bool:
    """Whether the table is there and has a file for a `value` of `column`, by which it is partitioned."""
    if not exists(job.spark, name):
        return False
    table = load(job, name)
    jvm: Any = job.spark._jvm  # noqa: SLF001 # as in `load`
    with spark_errors(f"reading {name}"):
        condition = jvm.org.apache.iceberg.expressions.Expressions.equal(column, value)
        files = table.newScan().filter(condition).planFiles()
        try:
            return bool(files.iterator().hasNext())
        finally:
            files.close()


def files_by_partition(job: Job, name: str, snapshot: int) -> dict[int, list[str]]:
    """Returns where a snapshot's files are, delete files too, by the bigint column that partitions the table."""
    jvm: Any = job.spark._jvm  # noqa: SLF001 # as in `load`
    found: dict[int, list[str]] = {}
    with spark_errors(f"reading {name}"):
        kind = jvm.java.lang.Class.forName("java.lang.Long")
        planned = load(job, name).newScan().useSnapshot(snapshot).planFiles()
        try:
            tasks = planned.iterator()
            while tasks.hasNext():
                task = tasks.next()
                value = int(task.file().partition().get(0, kind))
                files = [task.file(), *task.deletes()]
                found.setdefault(value, []).extend(str(each.location()) for each in files)
        finally:
            planned.close()
    return found


def load(job: Job, name: str) -> Any:
    """Returns Iceberg's own object for the table as it is now."""
    # Iceberg's metadata tables hold the same, but each question to them is a Spark job.
    jvm: Any = job.spark._jvm  # noqa: SLF001 # the documented way from Python to Iceberg's Java API
    with spark_errors(f"reading {name}"):
        return jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(job.spark._jsparkSession, name)  # noqa: SLF001 # likewise


def current(job: Job, name: str) -> int | None:
    """Returns the id of the table's current snapshot; None if it has none."""
    snapshot = load(job, name).currentSnapshot()
    return None if snapshot is None else int(snapshot.snapshotId())


def actions(job: Job) -> Any:
    """Returns Iceberg's actions on Spark: what rewrites data files, expires snapshots and deletes orphans."""
    jvm: Any = job.spark._jvm  # noqa: SLF001 # as in `load`
    return jvm.org.apache.iceberg.spark.actions.SparkActions.get(job.spark._jsparkSession)  # noqa: SLF001 # likewise
