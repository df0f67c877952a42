"""The audit without servers: both layers in memory, and what the audit's pure parts say of every customer."""

from collections.abc import Mapping
from dataclasses import dataclass

from batch_layer.audit import classes, compare, stored
from batch_layer.audit.classes import Drift, Evidence
from batch_layer.audit.compare import Gathered, Verdict
from batch_layer.audit.history import Recorded, folded
from batch_layer.audit.stored import Stored
from common.algebra.facts import decode_fact
from common.algebra.view_row import ViewRow
from common.log.partition import partition_of
from infra.proof.oracle import RawRecord
from tests.support.model import Cuts, SpeedTables, batch_rows, read


@dataclass(frozen=True)
class Audited:
    """One customer's audit."""

    verdict: Verdict
    wrong_facts: list[tuple[str, str]]

    @property
    def is_drift(self) -> bool:
        return self.verdict is Verdict.DRIFT or (self.verdict is Verdict.SAME and bool(self.wrong_facts))


@dataclass
class Scene:
    """A current batch at `cut`, a new one at `new_cut`, and speed tables that may be beyond. A test may damage all."""

    records: list[RawRecord]
    """The master, as the new batch reads it."""
    partitions: int
    cut: Cuts
    new_cut: Cuts
    tables: SpeedTables
    base: dict[str, ViewRow]
    new: dict[str, ViewRow]

    @classmethod
    def of(cls, records: list[RawRecord], partitions: int, cut: Cuts, new_cut: Cuts) -> "Scene":
        """Both layers as they should be, with every record applied."""
        return cls(
            records,
            partitions,
            cut,
            new_cut,
            SpeedTables(partitions).apply(records),
            batch_rows(records, cut, partitions),
            batch_rows(records, new_cut, partitions),
        )

    def customers(self) -> set[str]:
        return {*self.base, *self.new, *self.tables.deltas}

    def gathered(self, customer: str) -> Gathered:
        base, new = self.base.get(customer), self.new.get(customer)
        least = min(self.cut.values(), default=0)
        cells = [(offset, text) for offset, text in self.tables.deltas.get(customer, {}).items() if offset >= least]
        return Gathered(
            customer, None if base is None else base.to_json(), None if new is None else new.to_json(), cells
        )

    def audited(self, customer: str) -> Audited:
        partition = partition_of(customer, self.partitions)
        verdict = compare.compared(self.gathered(customer), self.cut.get(partition, 0), self.new_cut.get(partition, 0))
        expected = {entity: fact.after for entity, fact in folded(self.recorded(customer)).facts.items()}
        wrong = stored.differences(self.stored(customer), expected, self.new_cut.get(partition, 0))
        return Audited(verdict, wrong)

    def drifted(self) -> set[str]:
        return {customer for customer in self.customers() if self.audited(customer).is_drift}

    def classes_of(self, customer: str) -> set[Drift]:
        partition = partition_of(customer, self.partitions)
        gathered = self.gathered(customer)
        evidence = Evidence(
            base=gathered.base,
            new=gathered.new,
            deltas=gathered.deltas,
            stored=self.stored(customer),
            records=self.recorded(customer),
            cut=self.cut.get(partition, 0),
            new_cut=self.new_cut.get(partition, 0),
        )
        return {drift for drift, _ in classes.classified(evidence)}

    def stored(self, customer: str) -> Stored:
        cells: Mapping[tuple[str, str], str] = self.tables.facts.get(customer, {})
        return Stored(self.tables.resets.get(customer), {key: decode_fact(text) for key, text in cells.items()})

    def recorded(self, customer: str) -> list[Recorded]:
        found = []
        for record in self.records:
            event = read(record, self.partitions)
            if event is None or event.customer_id != customer:
                continue
            if record.offset < self.new_cut.get(record.partition, 0):
                found.append(Recorded(record.offset, event.kind, event.entity_id, event.image))
        return found
