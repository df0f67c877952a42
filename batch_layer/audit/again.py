"""Recomputes a batch that was published, and compares it with what was published (`batch verify`). Changes nothing."""

from dataclasses import dataclass

import msgspec
from pyspark.sql import functions as F

from batch_layer.audit import joined
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import is_below
from batch_layer.session import spark_errors
from batch_layer.view import verify
from batch_layer.view.digest import Digest
from batch_layer.view.load import digested
from batch_layer.view.recompute import recomputed
from common.algebra.cut import Cut
from common.algebra.payloads import ERASURE
from common.algebra.pointer import Claim, Plan
from common.algebra.versions import logic_version
from common.errors import BatchError


@dataclass(frozen=True, slots=True)
class Batch:
    """What was published, by the manifest."""

    batch_id: int
    slot: str
    plan: Plan
    digest: Digest
    is_in_slot: bool
    """Whether the slot still holds the batch."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it was published, and as it is computed now."""

    batch_id: int
    snapshot: int
    """The snapshot that was recomputed: the plan's or, where that is gone, the present one."""
    published_rows: int
    published_checksum: str
    rows: int
    checksum: str
    slot_rows: int | None
    """What the slot holds now; None if another batch has taken it."""
    slot_checksum: str | None
    customers: tuple[str, ...] = ()
    """Customers whose rows in the slot are not the recomputation's, the first of them."""
    explanations: tuple[str, ...] = ()
    """What has changed since, and may be why the two differ."""

    @property
    def is_same(self) -> bool:
        published = self.published_rows, self.published_checksum
        slot = published if self.slot_rows is None else (self.slot_rows, self.slot_checksum)
        return published == (self.rows, self.checksum) == slot


def verified(job: Job, batch: Batch, validation_version: str) -> Verification:
    """Returns the comparison of `batch`, recomputed from its snapshot; `validation_version` is this release's.

    Raises BatchError if there is no master.
    """
    head = master.head(job)
    if head is None:
        raise BatchError("there is no master dataset, so no batch can be recomputed from it")
    is_kept = master.has_snapshot(job, batch.plan.snapshot)
    snapshot = batch.plan.snapshot if is_kept else head.snapshot
    states = recomputed(job, snapshot, batch.plan.cut)
    computed = digested(job, states)
    claim = Claim(batch.batch_id, batch.slot, batch.plan)
    slot = verify.read_back(job, claim) if batch.is_in_slot else None
    explanations = _versions(batch.plan, validation_version)
    if not is_kept:
        explanations.append(
            f"snapshot {batch.plan.snapshot} is gone from the master (an erasure removes old snapshots), so the "
            f"batch was recomputed from snapshot {snapshot}"
        )
    explanations += _erasures(job, head.snapshot, batch.plan.cut)
    is_different = slot is not None and slot != computed
    return Verification(
        batch_id=batch.batch_id,
        snapshot=snapshot,
        published_rows=batch.digest.rows,
        published_checksum=batch.digest.checksum,
        rows=computed.rows,
        checksum=computed.checksum,
        slot_rows=None if slot is None else slot.rows,
        slot_checksum=None if slot is None else slot.checksum,
        customers=tuple(joined.differing(job, claim, states)[1]) if is_different else (),
        explanations=tuple(explanations),
    )


def _versions(plan: Plan, validation_version: str) -> list[str]:
    ours = (("logic", plan.logic_version, logic_version()), ("validation", plan.validation_version, validation_version))
    return [
        f"the batch was computed by {name} version {theirs}, and this release's is {own}"
        for name, theirs, own in ours
        if theirs != own
    ]


def _erasures(job: Job, snapshot: int, cut: Cut) -> list[str]:
    """Customers erased above the batch's cut: their records below it may have been removed since."""
    rows = master.at_snapshot(job, snapshot).where(F.col("kind") == ERASURE)
    above = rows.where(~is_below(cut)).agg(F.countDistinct("customer_id").alias("customers"))
    with spark_errors("looking for erasures"):
        [found] = above.collect()
    if not found["customers"]:
        return []
    return [f"{found['customers']} customer(s) were erased since; maintenance removes their records from the master"]
