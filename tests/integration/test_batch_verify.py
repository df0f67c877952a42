"""`batch verify`: a published batch against its recomputation, and what an erasure or another logic makes of it."""

import time
from unittest.mock import patch

import pytest
from pyspark.sql import functions as F

from batch_layer import manifest as manifests
from batch_layer.audit.again import Verification, verified
from batch_layer.master import table as master
from batch_layer.run import run
from batch_layer.view import publish
from common.algebra import versions
from common.algebra.pointer import Published
from common.log.events import validation_version
from common.log.normalizing import Rules
from infra.commands.batch_verify import published, told
from tests.support.batch_system import produce
from tests.support.builders import erasure, order
from tests.support.changed_measures import counting_cancelled
from tests.support.jobs import Jobs

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def batch(jobs: Jobs, *messages: object) -> Published:
    produce(jobs.settings, messages)  # type: ignore[arg-type] # messages
    done = run(jobs())
    assert done is not None
    return done


def verify(jobs: Jobs, batch_id: int) -> Verification:
    runs = {each.batch_id: each for each in manifests.manifests(jobs.session)}
    chosen = published(runs, publish.read(jobs.session), batch_id)
    return verified(jobs(), chosen, validation_version(Rules(jobs.settings.log.currency)))


def forget_old_snapshots(jobs: Jobs) -> None:
    """What maintenance does, as Iceberg's own expiry does it: every snapshot but the newest, and those with a name."""
    expiry = master._iceberg(jobs()).expireSnapshots()
    expiry.expireOlderThan(int(time.time() * 1000) + 60_000).retainLast(1).commit()


def test_a_published_batch_is_what_its_snapshot_gives_also_when_its_slot_is_gone(jobs: Jobs) -> None:
    """R17: the tag keeps the snapshot from expiry; three batches later the slot holds another batch."""
    for number in range(4):
        batch(jobs, order("ada", f"o{number}"), order("bob", f"o{number}"))
    forget_old_snapshots(jobs)

    first, last = verify(jobs, 1), verify(jobs, 4)

    assert (first.is_same, first.slot_rows, first.rows, first.explanations) == (True, None, 2, ())
    assert (last.is_same, last.slot_rows, last.customers) == (True, 2, ())
    assert "the same" in told(last)


def test_a_row_that_changed_in_the_slot_is_named(jobs: Jobs) -> None:
    done = batch(jobs, order("ada", "o1"), order("bob", "o1"))
    damage = f"UPDATE batch_view_{done.slot} USING TIMESTAMP 9 SET state = '{{}}' WHERE customer_id = 'ada'"
    jobs.session.execute(damage)

    found = verify(jobs, 1)

    assert (found.is_same, found.customers) == (False, ("ada",))
    assert "rows in the slot that are not the recomputation's: 'ada'" in told(found)


def test_another_logic_is_named_as_what_may_make_them_differ(jobs: Jobs) -> None:
    batch(jobs, order("ada", "o1", status="cancelled"), order("bob", "o1"))
    with counting_cancelled(), patch.object(versions, "LOGIC", "99"):
        found = verify(jobs, 1)

    assert (found.is_same, found.customers) == (False, ("ada",))
    assert found.explanations == ("the batch was computed by logic version 2, and this release's is 99",)


def test_an_erasure_that_removed_records_is_named_as_what_may_make_them_differ(jobs: Jobs) -> None:
    """R24: the snapshot is gone with the records, so the batch is recomputed from what the master holds now."""
    done = batch(jobs, order("ada", "o1"), order("bob", "o1"))
    batch(jobs, erasure("ada"))
    job = jobs()
    head = master.head(job)
    assert head is not None
    kept = master.at_snapshot(job, head.snapshot).where((F.col("customer_id") != "ada") | (F.col("kind") == "customer"))
    master.replace(job, kept, planned_from=head.snapshot, head_after=head, replaced=F.lit(True))
    for name in ("batch-1", "batch-2"):
        master._iceberg(job).manageSnapshots().removeTag(name).commit()
    forget_old_snapshots(jobs)

    found = verify(jobs, 1)

    assert (found.is_same, found.rows, found.customers) == (False, 1, ("ada",))
    gone, erased = found.explanations
    assert gone.startswith(f"snapshot {done.plan.snapshot} is gone from the master")
    assert erased == "1 customer(s) were erased since; maintenance removes their records from the master"
