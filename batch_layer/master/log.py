"""The log as Spark reads it: exact ranges of committed records, or an error if one is gone (R1, R15)."""

from collections.abc import Mapping, Sequence

import msgspec
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.master.table import RAW
from common import runbook
from common.algebra.cut import Cut
from common.algebra.losses import Range, uncovered
from common.errors import LogError
from common.servers.log_identity import LogIdentity


def held_from(
    identity: LogIdentity, first: Mapping[int, int], starts: Cut, ends: Cut, accepted: Sequence[Range]
) -> Cut:
    """Returns where to read from, so that only ranges accepted as lost are left out below `ends` (R15).

    `first` has the log's first offsets. Raises LogError, which names every range that is lost and not accepted, and the
    way out.
    """
    gaps = [Range(p, starts[p], first[p]) for p in range(identity.partitions) if starts[p] < min(first[p], ends[p])]
    lost = [part for gap in gaps for part in uncovered(gap, accepted)]
    if lost:
        raise LogError(lost_text(identity.topic, lost))
    return Cut.of({p: max(starts[p], min(first[p], ends[p])) for p in range(identity.partitions)})


def lost_text(topic: str, lost: Sequence[Range]) -> str:
    """Returns what to say of ranges that neither Kafka nor the master holds."""
    ranges = ", ".join(map(str, lost))
    options = " ".join(f"--accept-loss {each}" for each in lost)
    return (
        f"records of {topic!r} are gone from Kafka and were never archived, so nothing was archived: {ranges} "
        f"(partition:from:to). If they cannot be brought back, the way on is `lambda360 speed rebuild {options} "
        f"--reason R`; see {runbook.LOSS}"
    )


def check_not_shorter(identity: LogIdentity, archived: Cut, ends: Cut) -> None:
    """Raises LogError if the log ends below what is archived: it lost records, and gives their offsets to others."""
    for partition in range(identity.partitions):
        if ends[partition] < archived[partition]:
            raise LogError(
                f"partition {partition} of {identity.topic!r} ends at offset {ends[partition]}, and was archived up to "
                f"{archived[partition]}: the log lost records that were acknowledged, so nothing was archived. Offsets "
                f"would be used twice; see {runbook.RESTORE}"
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
