"""The results of a comparison of many customers, and how Spark's tasks hand them over."""

from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.audit.compare import Verdict
from batch_layer.session import spark_errors
from batch_layer.view.digest import Digest

NAMED: Final = 500
"""The most customers with drift that are looked into one by one."""
TALLY: Final = "rows bigint, checksum string, compared bigint, skipped bigint, drifted bigint, customers array<string>"
"""The columns of a task's tally."""


@dataclass(slots=True)
class Tally:
    """The results of some customers, or of all."""

    digest: Digest = field(default_factory=Digest)
    """Of the new slot's rows that were read back."""
    compared: int = 0
    skipped: int = 0
    """Customers with a reset at or above the new cut."""
    drifted: int = 0
    customers: list[str] = field(default_factory=list)
    """Customers with drift, the first NAMED of them."""

    def add(self, customer: str, verdict: Verdict | None) -> None:
        self.compared += verdict in (Verdict.SAME, Verdict.DRIFT)
        self.skipped += verdict is Verdict.RESET
        if verdict is Verdict.DRIFT:
            self.drifted += 1
            if len(self.customers) < NAMED:
                self.customers.append(customer)

    def batch(self) -> pa.RecordBatch:
        """Returns the tally as a row of the columns `TALLY`."""
        values = (self.digest.rows, self.digest.checksum, self.compared, self.skipped, self.drifted, self.customers)
        names = ("rows", "checksum", "compared", "skipped", "drifted", "customers")
        kinds = (pa.int64(), pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.list_(pa.string()))
        arrays = [pa.array([value], kind) for value, kind in zip(values, kinds, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, names=list(names))


def collected(tallies: DataFrame) -> Tally:
    """Runs a query of tallies, and returns their sum."""
    total = Tally()
    with spark_errors("auditing the view"):
        for row in tallies.collect():  # one row a task
            total.digest += Digest.of(row["checksum"], row["rows"])
            total.compared += row["compared"]
            total.skipped += row["skipped"]
            total.drifted += row["drifted"]
            total.customers += row["customers"][: NAMED - len(total.customers)]
    return total
