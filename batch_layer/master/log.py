"""The log as Spark reads it: exact ranges of committed records, or an error if one is gone (R1, R15)."""

import msgspec
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.master.table import RAW
from common.algebra.cut import Cut
from common.errors import LogError
from common.servers import kafka
from common.servers.log_identity import LogIdentity


def check_held(job: Job, identity: LogIdentity, starts: Cut, ends: Cut) -> None:
    """Raises LogError, which names what is lost, unless Kafka holds [starts, ends) in every partition."""
    first = kafka.first_offsets(job.settings, identity.partitions)
    for partition in range(identity.partitions):
        start = starts[partition]
        end = ends[partition]
        if start < first[partition] and start < end:
            raise LogError(
                f"partition {partition} of {identity.topic!r} begins at offset {first[partition]}, and the master ends "
                f"at {start}: the records between are gone from Kafka, so nothing was archived. Lengthen the topic's "
                "retention, and bring the lost records back into the log from their source"
            )


def check_not_shorter(identity: LogIdentity, archived: Cut, ends: Cut) -> None:
    """Raises LogError if the log ends below what is archived: it lost records, and gives their offsets to others."""
    for partition in range(identity.partitions):
        if ends[partition] < archived[partition]:
            raise LogError(
                f"partition {partition} of {identity.topic!r} ends at offset {ends[partition]}, and was archived up to "
                f"{archived[partition]}: the log lost records that were acknowledged, so nothing was archived"
            )


def records(job: Job, identity: LogIdentity, starts: Cut, ends: Cut) -> DataFrame:
    """Returns the committed records in [starts, ends), as columns `RAW`. The read fails if a record is gone."""
    pending = [partition for partition in range(identity.partitions) if starts[partition] < ends[partition]]
    if not pending:
        return job.spark.createDataFrame([], ", ".join(f"{name} {kind}" for name, kind in RAW.items()))

    def offsets(cut: Cut) -> str:
        return msgspec.json.encode({identity.topic: {str(p): cut[p] for p in pending}}).decode()

    options = {
        "kafka.bootstrap.servers": job.settings.bootstrap_servers,
        "kafka.isolation.level": "read_committed",
        "assign": msgspec.json.encode({identity.topic: pending}).decode(),
        "startingOffsets": offsets(starts),
        "endingOffsets": offsets(ends),
        "failOnDataLoss": "true",
    }
    return (
        job.spark.read.format("kafka")
        .options(**options)
        .load()
        .select(
            F.col("partition").alias("kafka_partition"),
            F.col("offset").alias("kafka_offset"),
            F.unix_micros("timestamp").alias("appended_at"),
            "key",
            "value",
        )
    )
