"""Masters without a log: what archiving would have committed of records in memory."""

from collections.abc import Sequence
from typing import Final

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import RAW, Head
from batch_layer.master.validate import validated
from common.algebra.cut import Cut
from common.log.events import validation_version
from common.log.normalizing import Rules
from infra.proof.oracle import RawRecord

RULES: Final = Rules("USD")


def commit(job: Job, records: Sequence[RawRecord], partitions: int = 4) -> Head:
    """What archiving does with these records, without a log."""
    head = master.head(job)
    archive_id = 1 if head is None else head.archive_id + 1
    raw = job.spark.createDataFrame(
        [
            (
                r.partition,
                r.offset,
                r.appended_at,
                bytearray(r.key) if r.key is not None else None,
                bytearray(r.value) if r.value is not None else None,
                archive_id,
            )
            for r in records
        ],
        ", ".join(f"{name} {kind}" for name, kind in {**RAW, "archive_id": "bigint"}.items()),
    )
    offsets = dict(head.offsets.offsets) if head else {}
    for record in records:
        offsets[record.partition] = max(offsets.get(record.partition, 0), record.offset + 1)
    after = Head(0, archive_id, Cut.of(offsets), "topic", validation_version(RULES))
    before = None if head is None else head.snapshot
    rows = validated(raw, partitions, RULES)
    master.replace(job, rows, planned_from=before, head_after=after, replaced=master.added_by(archive_id))
    found = master.head(job)
    assert found is not None
    return found
