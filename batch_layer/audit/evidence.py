"""Looks into customers one by one: reads all that is stored of each, and classifies the drift that is left (R18)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cassandra.cluster import Session
from pyspark.sql import functions as F

from batch_layer.audit.classes import Drift, Evidence, classified
from batch_layer.audit.compare import Cell, Gathered, Verdict, compared
from batch_layer.audit.history import Recorded, folded
from batch_layer.audit.passage import Passage
from batch_layer.audit.ranges import Scope
from batch_layer.audit.stored import Facts, differences
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import below
from batch_layer.session import spark_errors
from batch_layer.view.images import COLUMNS, image_of
from common.algebra.marks import MARK_OFFSET
from common.algebra.pointer import Plan
from common.log.partition import partition_of
from common.servers.cassandra import in_one_page
from common.servers.patience import patiently
from common.tables import Tables


@dataclass(frozen=True, slots=True)
class Examined:
    """One customer with drift."""

    customer: str
    classes: Sequence[tuple[Drift, str]]
    is_marked: bool
    """Whether an operator accepted drift of the customer earlier, in this generation."""


def examined(job: Job, scope: Scope, passage: Passage, customers: Sequence[str]) -> Iterator[Examined]:
    """Yields those of the customers that have drift, with its classes.

    Each is compared again: the scan reads in pages, so an erasure that comes meanwhile may show it half a customer.
    """
    records = _records(job, scope.claim.plan, customers)
    reads = _Reads(job.session, scope)
    for customer in customers:
        evidence, is_marked = reads.of(customer, records[customer], passage)
        partition = partition_of(customer, scope.partitions)
        gathered = Gathered(customer, evidence.base, evidence.new, evidence.deltas)
        verdict = compared(gathered, evidence.cut, evidence.new_cut)
        expected = {entity: fact.after for entity, fact in folded(evidence.records).facts.items()}
        is_drift = partition in passage.audited and verdict is Verdict.DRIFT
        is_wrong = partition in passage.passed and differences(evidence.stored, expected, evidence.new_cut)
        if verdict is not Verdict.RESET and (is_drift or is_wrong):
            yield Examined(customer, classified(evidence), is_marked)


def _records(job: Job, plan: Plan, customers: Sequence[str]) -> Mapping[str, Sequence[Recorded]]:
    """The customers' valid records in the master below the cut, in offset order."""
    found: defaultdict[str, list[Recorded]] = defaultdict(list)
    if customers:
        rows = below(master.at_snapshot(job, plan.snapshot), plan.cut)
        rows = rows.where(F.col("customer_id").isin(list(customers))).select(*COLUMNS)
        with spark_errors("looking for records"):
            for row in rows.collect():
                record = Recorded(row["kafka_offset"], row["kind"], row["entity_id"], image_of(row))
                found[row["customer_id"]].append(record)
    for members in found.values():
        members.sort(key=lambda record: record.offset)
    return found


class _Reads:
    """The statements that read one customer, each answered in one page."""

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope
        self._facts = Facts(session, scope.generation)
        deltas = f"SELECT kafka_offset, value FROM {Tables(scope.generation).deltas} WHERE customer_id = ?"
        self._deltas = in_one_page(session.prepare(deltas))

    def of(self, customer: str, records: Sequence[Recorded], passage: Passage) -> tuple[Evidence, bool]:
        """Returns all that is stored of the customer, and whether there is a mark. Raises StoreUnavailable."""
        scope = self._scope
        partition = partition_of(customer, scope.partitions)
        cut = scope.cut[partition]
        cells = self._cells(customer)
        evidence = Evidence(
            base=self._base(customer, [record for record in records if record.offset < cut]),
            new=self._slot_row(customer, scope.claim.slot, scope.claim.batch_id),
            deltas=[cell for cell in cells if cell[0] != MARK_OFFSET],
            stored=self._facts.of([customer])[customer],
            records=records,
            cut=cut,
            new_cut=scope.claim.plan.cut[partition],
            is_base_stored=scope.base is not None,
            are_deltas_alive=partition in passage.audited,
        )
        return evidence, any(offset == MARK_OFFSET for offset, _ in cells)

    def _base(self, customer: str, below: Sequence[Recorded]) -> str | None:
        base = self._scope.base
        if base is not None:
            return self._slot_row(customer, base.slot, base.batch_id)
        row = folded(below).row()
        return None if row is None else row.to_json()

    def _slot_row(self, customer: str, slot: str, batch_id: int) -> str | None:
        select = f"SELECT batch_id, state FROM {Tables.batch_view(slot)} WHERE customer_id = %s"
        row = patiently(lambda: self._session.execute(select, (customer,)).one(), "reading a slot's row")
        return row.state if row is not None and row.batch_id == batch_id else None

    def _cells(self, customer: str) -> list[Cell]:
        rows = patiently(lambda: list(self._session.execute(self._deltas, (customer,))), "reading deltas")
        return [(row.kafka_offset, row.value) for row in rows]
