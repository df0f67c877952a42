"""The only SparkSession: no shuffle in the recomputation, on loopback, quick to start, quiet. Knows no table."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from batch_layer import jvm, object_store, spark_properties
from batch_layer.jars import class_archive, jars_of
from common.errors import BatchError, WarehouseUnavailable
from common.settings import Settings

CATALOG: Final = "lake"
WITHOUT_SHUFFLE: Final = {
    "spark.sql.sources.v2.bucketing.enabled": "true",
    "spark.sql.sources.v2.bucketing.pushPartValues.enabled": "true",
    "spark.sql.iceberg.planning.preserve-data-grouping": "true",
    "spark.sql.requireAllClusterKeysForDistribution": "false",
}
"""With these, Spark knows that a bucket holds all facts of its customers, and need not shuffle them (R16)."""
_LOGGING: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {folder}/spark.log
appender.file.filePattern = {folder}/spark.log.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}}: %m%n%ex
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
"""


@contextmanager
def spark_session(settings: Settings, jars: Path, records: int = 0) -> Iterator[SparkSession]:
    """A session with the jars of the folder `jars` and of `batch.jars`, stopped at the end.

    `records` is how much history its work is on, see `batch_layer.jvm`: a long work takes a JVM that starts slower.

    Its logs are in the folder `spark` of the home. The first session writes a class archive beside the jars, which
    halves the CPU time of each later session's start. Raises BatchError if there are no jars or Spark does not start,
    SettingsError for a warehouse that cannot be, and WarehouseUnavailable if the warehouse's object store is away.
    """
    found = jars_of(settings, jars)
    object_store.check(settings, found)
    folder = (settings.home / "spark").absolute()
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(_LOGGING.format(folder=folder), encoding="utf-8")
    os.environ["PYSPARK_PYTHON"] = sys.executable  # there is no other way; the default is `python3`
    builder = SparkSession.builder.master(settings.batch.master).appName("lambda360-batch")
    configured = {
        **_configuration(settings, folder, found, records),
        **catalog(settings),
        **spark_properties.of(settings),
    }
    for name, value in configured.items():
        builder = builder.config(name, value)
    try:
        with _errors_into(folder / "jvm.log"):
            spark = builder.getOrCreate()
    except (PySparkException, Py4JJavaError) as error:
        raise BatchError(f"Spark did not start: {_root_cause(error)}; {folder / 'jvm.log'} says more") from error
    try:
        with spark_errors("working with Spark"):  # what no step has translated
            yield spark
    finally:
        spark.stop()


def catalog(settings: Settings) -> dict[str, str]:
    """Returns Spark's configuration of the Iceberg catalog on this deployment's warehouse."""
    name = f"spark.sql.catalog.{CATALOG}"
    return {
        name: "org.apache.iceberg.spark.SparkCatalog",
        f"{name}.type": settings.batch.catalog,
        **({f"{name}.uri": settings.batch.catalog_uri} if settings.batch.catalog_uri else {}),
        f"{name}.warehouse": settings.warehouse,
        **{f"{name}.{key}": value for key, value in object_store.properties(settings).items()},
        f"{name}.cache-enabled": "false",  # so that another run's commit is seen at once
    }


def _configuration(settings: Settings, folder: Path, found: Sequence[Path], records: int) -> Mapping[str, str]:
    local = settings.batch.master.startswith("local")
    logging = f"-Dlog4j2.configurationFile=file:{folder / 'log4j2.properties'} -Djava.io.tmpdir={folder / 'tmp'}"
    return {
        **WITHOUT_SHUFFLE,
        "spark.driver.extraClassPath": ":".join(map(str, found)),
        **({} if local else {"spark.jars": ",".join(map(str, found))}),  # copies them to the executors
        "spark.executorEnv.PYTHONSAFEPATH": "1",  # a worker would import a folder `common` of where the user stands
        "spark.driver.memory": settings.batch.driver_memory,
        "spark.driver.extraJavaOptions": f"{jvm.options(records)} {class_archive(found)} {logging}",
        "spark.driver.host": settings.batch.driver_host,
        "spark.driver.bindAddress": settings.batch.driver_bind,
        "spark.local.dir": str(folder / "tmp"),
        # What is persisted is read once or twice: to compress it took a third of the time of archiving.
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(settings.batch.buckets),  # archiving shuffles by bucket
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


@contextmanager
def _errors_into(path: Path) -> Iterator[None]:
    """Appends to `path` what processes that are started inside write to stderr, such as the JVM's warnings."""
    kept = os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def spark_errors(doing: str) -> Iterator[None]:
    """Translates what Spark raises inside into a BatchError: `doing`, and the root cause in one line.

    It is WarehouseUnavailable instead where the warehouse's object store is the cause.
    """
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        if object_store.is_refusal(str(error)):
            raise WarehouseUnavailable(object_store.refusal(doing, _root_cause(error))) from error
        raise BatchError(f"{doing}: {_root_cause(error)}") from error


def _root_cause(error: Exception) -> str:
    """The exception at the end of a Python worker's traceback, or else the first line of Java's innermost cause."""
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        text = str(cause.toString())
    else:
        text = str(error)
    _, trace, last = text.rpartition("Traceback (most recent call last):\n")
    lines = [line.strip() for line in (last if trace else text).splitlines() if line.strip() and line[0] not in "\t "]
    return " ".join(lines if trace else lines[:1]) or type(error).__name__
