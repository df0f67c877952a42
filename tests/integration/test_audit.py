"""R18 on real servers: each class of drift by a real fault, what cannot be audited, and what is accepted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.audit import facts
from batch_layer.audit.audit import Loaded, audit, settle
from batch_layer.decisions import Decisions
from batch_layer.master import archive
from batch_layer.master import table as master
from batch_layer.reports import AuditReport
from batch_layer.view import load, publish
from batch_layer.view.recompute import recomputed
from common.algebra.marks import MARK_OFFSET, decode_mark
from common.algebra.pointer import Plan, Published
from common.algebra.versions import logic_version
from common.errors import DriftFound
from common.log.partition import partition_of
from common.servers import journal, rollback
from infra.proof.log_reader import LogReader
from tests.support.applied import apply_log, progress, write
from tests.support.batch_system import produce
from tests.support.builders import erasure, order, profile, random_messages
from tests.support.changed_measures import counting_cancelled
from tests.support.jobs import Jobs

pytestmark = pytest.mark.spark
ADA: Final = partition_of("ada", 4)
NOTHING: Final = Decisions()


@dataclass
class System:
    """One system whose batches are loaded, audited and published by the steps themselves."""

    jobs: Jobs
    patient: bool = False
    last: Loaded = field(init=False)

    def produce(self, *messages: Any) -> None:
        produce(self.jobs.settings, messages)

    def apply(self) -> None:
        apply_log(self.jobs.settings, self.jobs.session)

    def load(self, archived: Callable[[DataFrame], DataFrame] | None = None) -> Loaded:
        """Archives, claims and loads; `archived` may damage the master in between."""
        job = self.jobs()
        done = archive.archive(job)
        if archived is not None:
            head = master.head(job)
            assert head is not None
            rows = archived(master.at_snapshot(job, head.snapshot))
            master.replace(job, rows, planned_from=head.snapshot, head_after=head, replaced=F.lit(True))
            done = archive.archive(job)
        plan = Plan(done.snapshot, done.cut, logic_version(), done.validation_version)
        claim = publish.claim(job.session, plan)
        states = recomputed(job, plan.snapshot, plan.cut)
        self.last = Loaded(claim, states, load.load(job, states, claim))
        return self.last

    def audit(self, decisions: Decisions = NOTHING) -> AuditReport:
        self.jobs.decisions = decisions
        job = self.jobs()
        report, marks = audit(job, self.last, publish.read(job.session).published)
        settle(job, self.last.claim, report, marks)
        return report

    def publish(self, report: AuditReport | None = None) -> Published:
        claim, digest = self.last.claim, self.last.digest
        done = Published(claim.batch_id, claim.slot, claim.plan, 1, digest.rows, digest.checksum)
        publish.publish(self.jobs.session, claim, done)
        return done

    def batch(self, *messages: Any, decisions: Decisions = NOTHING) -> AuditReport:
        """Everything of a batch over a log that the speed layer has applied."""
        self.produce(*messages)
        self.apply()
        self.load()
        report = self.audit(decisions)
        self.publish(report)
        return report

    def execute(self, statement: str, *values: object) -> None:
        self.jobs.session.execute(statement, values)

    def offset_of(self, customer: str, number: int) -> int:
        """The offset of the customer's record of that number."""
        records = LogReader(self.jobs.settings, 4).refresh()
        return [record.offset for record in records if record.key == customer.encode()][number]


@pytest.fixture
def system(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> System:
    """The sample of facts is all of them, in one round: test_audit_facts.py is about its growth."""
    monkeypatch.setattr(facts, "SLICES", 1)
    batch = jobs.settings.batch.model_copy(update={"audit_wait_seconds": 0.5, "audit_fact_seconds": 60.0})
    jobs.settings = jobs.settings.model_copy(update={"batch": batch})
    return System(jobs)


def refused(system: System, decisions: Decisions = NOTHING) -> str:
    """The text of the audit's refusal; the pointer is as it was."""
    before = publish.read(system.jobs.session)
    with pytest.raises(DriftFound) as raised:
        system.audit(decisions)
    assert publish.read(system.jobs.session) == before
    return str(raised.value)


def test_r18_sound_layers_pass_a_first_batch_and_later_ones_and_a_rollback_between(system: System) -> None:
    """R24 too: with erasures, profiles and retractions; every customer and every fact of the sample is compared."""
    messages = list(random_messages(seed=61, count=450, customers=25))
    first = system.batch(*messages[:150])
    second = system.batch(*messages[150:300])
    rollback.roll_back(system.jobs.session, rollback.planned_rollback(system.jobs.session, 1))

    third = system.batch(*messages[300:])

    for report in (first, second, third):
        assert report.compared >= report.rows > 0
        assert report.facts >= report.fact_customers > 0
        assert (report.findings, report.unaudited, report.accepted) == ((), (), ())
    assert third.fact_customers == third.rows


def test_r18_each_fault_is_named_by_customer_and_class_and_accepted_by_name(system: System) -> None:
    """An archive that lost one record, a speed table that lost one delta, one that lost one fact: one customer each.

    R11: a mark's timestamp is a log offset, so that an erasure's deletion covers it.
    """
    customers = ("late", "lost", "wrong", "sound")
    system.batch(*(order(customer, "o1") for customer in customers))
    system.execute("DELETE FROM speed_facts WHERE customer_id = 'wrong' AND kind = 'order' AND entity_id = 'o1'")
    system.produce(*(order(customer, "o2") for customer in customers if customer != "wrong"))
    second = [record for record in LogReader(system.jobs.settings, 4).refresh() if b'"o2"' in (record.value or b"")]
    write(system.jobs.settings, system.jobs.session, second)
    progress(system.jobs.settings, system.jobs.session)
    offsets = {customer: system.offset_of(customer, -1) for customer in customers}
    delete = "DELETE FROM speed_deltas WHERE customer_id = %s AND kafka_offset = %s"
    system.execute(delete, "lost", offsets["lost"])

    def without(rows: DataFrame) -> DataFrame:
        return rows.where(~((F.col("customer_id") == "late") & (F.col("kafka_offset") == offsets["late"])))

    system.load(without)
    text = refused(system)
    two = refused(system, Decisions(accepted_drift=frozenset({"late", "lost"}), reason="a disk was lost"))
    report = system.audit(Decisions(accepted_drift=frozenset(customers), reason="a disk was lost"))
    again = system.audit()

    late, lost = offsets["late"], offsets["lost"]
    assert f"late batch: 1 customer(s), 'late': of 'late', the speed layer applied offset {late} (order 'o2')" in text
    assert f"missing delta: 1 customer(s), 'lost': of 'lost', no delta is stored at offset {lost} (order 'o2')" in text
    assert "wrong fact: 1 customer(s), 'wrong': of 'wrong', the speed layer has no readable fact of order 'o1'" in text
    assert "'sound'" not in text
    assert "--resume 2 --accept-drift " in text
    assert ("'late'" in two, "'lost'" in two, "'wrong'" in two) == (False, False, True)
    assert (sorted(report.accepted), report.reason) == (["late", "lost", "wrong"], "a disk was lost")
    assert sorted(again.accepted) == ["late", "lost", "wrong"], "a mark stands for later audits"
    cut = system.last.claim.plan.cut
    assert {(row.customer_id, row.at, row.ttl) for row in marks(system)} == {
        (customer, cut[partition_of(customer, 4)] - 1, None) for customer in ("late", "lost", "wrong")
    }
    assert {decode_mark(row.value).classes for row in marks(system)} == {
        ("late batch",),
        ("missing delta",),
        ("wrong fact",),
    }
    entries = journal.entries(system.jobs.session, 10)
    assert sorted((entry.action, entry.what, entry.reason, entry.done) for entry in entries) == [
        ("accept drift", "'late' in batch 2: late batch", "a disk was lost", True),
        ("accept drift", "'lost' in batch 2: missing delta", "a disk was lost", True),
        ("accept drift", "'wrong' in batch 2: wrong fact", "a disk was lost", True),
    ]

    system.produce(erasure("lost"))
    system.apply()
    assert {row.customer_id for row in marks(system)} == {"late", "wrong"}


def test_r7_r17_r18_a_measure_that_changed_under_an_old_name_and_a_slot_that_lost_a_row(system: System) -> None:
    """The batch before counted cancelled orders, and declared the same logic version.

    The lost row is named instead of anything else, is never accepted, and is loaded again.
    """
    with counting_cancelled():
        system.produce(order("ada", "o1", status="cancelled"), order("bob", "o1"))
        system.apply()
        system.load()
        system.publish()
    system.produce(order("bob", "o2"))
    system.apply()
    loaded = system.load()

    text = refused(system)

    assert "logic change: 1 customer(s), 'ada': of 'ada', the facts below the current cut give another row" in text
    assert "bob" not in text

    delete = f"DELETE FROM batch_view_{loaded.claim.slot} USING TIMESTAMP %s WHERE customer_id = 'bob'"
    system.execute(delete, loaded.claim.batch_id)

    text = refused(system, Decisions(accepted_drift=frozenset({"ada", "bob"}), reason="why not"))

    assert "lost slot row: 1 customer(s), 'bob': 2 rows" in text
    assert "'ada'" not in text
    assert "`lambda360 batch run --resume 2` loads the slot again" in text


def test_r17_r18_a_served_slot_that_lost_a_row_is_left_by_a_rollback(system: System) -> None:
    """The next batch is then compared with the batch before, whose rows are all there."""
    system.batch(order("ada", "o1"), order("bob", "o1"))
    system.batch(order("ada", "o2"))
    served = publish.read(system.jobs.session).published
    assert served is not None
    delete = f"DELETE FROM batch_view_{served.slot} USING TIMESTAMP %s WHERE customer_id = 'bob'"
    system.execute(delete, served.batch_id)
    system.produce(order("bob", "o3"))
    system.apply()
    system.load()

    text = refused(system)
    assert "lost slot row: 1 customer(s), 'bob': of 'bob', the current slot has no row of the customer" in text
    rollback.roll_back(system.jobs.session, rollback.planned_rollback(system.jobs.session, None))
    system.load()

    report = system.audit()
    assert (report.findings, report.accepted, report.compared) == ((), (), 2)


def test_r18_after_a_declared_change_of_the_logic_the_old_cut_is_recomputed_and_audited(system: System) -> None:
    """The current slot is of other logic, so nothing is compared with it; a lost delta is still seen."""
    with counting_cancelled():
        system.produce(order("ada", "o1", status="cancelled"), order("bob", "o1"), profile("cem"))
        system.apply()
        older = system.load()
        plan = Plan(older.claim.plan.snapshot, older.claim.plan.cut, "1", older.claim.plan.validation_version)
        claim = publish.claim(system.jobs.session, plan)
        system.last = Loaded(claim, older.states, load.load(system.jobs(), older.states, claim))
        system.publish()
    system.produce(order("bob", "o2"), order("dee", "o1"))
    system.apply()
    system.load()

    report = system.audit()

    assert (report.findings, report.compared) == ((), 4)
    lost = system.offset_of("bob", 1)
    system.execute("DELETE FROM speed_deltas WHERE customer_id = %s AND kafka_offset = %s", "bob", lost)
    assert "missing delta: 1 customer(s), 'bob'" in refused(system)


def marks(system: System) -> list[Any]:
    select = "SELECT customer_id, value, WRITETIME(value) AS at, TTL(value) AS ttl, kafka_offset FROM speed_deltas"
    return [row for row in system.jobs.session.execute(select) if row.kafka_offset == MARK_OFFSET]


def test_r18_r24_what_cannot_be_audited_is_one_finding_and_who_is_erased_since_is_skipped(system: System) -> None:
    """A finding degrades nobody: no mark is left. It is accepted with a reason, which the journal keeps."""
    customers = ("ada", "bob", "cem", "dee", "eve", "fay", "gus", "hal")
    system.produce(*(order(customer, "o1") for customer in customers))
    settings, session = system.jobs.settings, system.jobs.session
    system.load()

    nobody = refused(system)
    write(settings, session, LogReader(settings, 4).refresh())
    progress(settings, session, from_offset=1)
    expired = refused(system)
    progress(settings, session, version="2")
    other = refused(system)
    accepted = system.audit(Decisions(accept_unaudited=True, reason="the first batch"))

    assert "the speed layer never ran; `lambda360 speed run` starts it" in nobody
    assert "--resume 1 --accept-unaudited --reason R" in nobody
    assert "deltas below offset 1 have expired, and the answers that are served need them from 0 on" in expired
    assert "decided by validation 2, this batch's by" in other
    assert len(accepted.unaudited) == 1
    assert (accepted.unaudited_accepted, accepted.reason, accepted.compared) == (True, "the first batch", 0)
    (entry,) = journal.entries(session, 10)
    assert (entry.action, entry.reason, entry.done) == ("accept unaudited", "the first batch", True)
    assert marks(system) == []

    system.produce(erasure("ada"), order("ada", "o3"))
    system.apply()
    report = system.audit()
    assert (report.skipped, report.compared, report.findings, report.unaudited) == (1, 7, (), ())
