"""R7, R16, R4, R5, R24: the measures in columns give what the pure fold gives, byte for byte."""

from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.master.table import ARROW, COLUMNS, RAW
from batch_layer.master.validate import row_of
from batch_layer.view import columns
from batch_layer.view.bucket import BucketRows
from common.algebra.cut import Cut
from common.algebra.measures import MEASURES
from common.log.normalizing import Rules
from infra.proof.oracle import RawRecord
from tests.support.builders import Log, erasure, order, profile, random_log
from tests.support.model import batch_rows

RULES = Rules("USD")
PARSED = [name for name in COLUMNS if name not in RAW and name != "archive_id"]


def table_of(records: list[RawRecord], partitions: int) -> pa.Table:
    """The master's rows of these records."""
    rows = [
        (r.partition, r.offset, *row_of(r.partition, r.appended_at, r.key, r.value, partitions, RULES)) for r in records
    ]
    names = ["kafka_partition", "kafka_offset", *PARSED]
    by_name = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pa.table({n: pa.array(values, ARROW[COLUMNS[n]]) for n, values in zip(names, by_name, strict=True)})


def states(table: pa.Table, cut: Cut) -> dict[str, str]:
    """The text of each customer, from columns that come in any order and in several chunks."""
    found: dict[str, str] = {}
    for block in columns.states(BucketRows(lambda name: table[name], cut), MEASURES):
        for customer, text in zip(block.customers.to_pylist(), block.texts.to_pylist(), strict=True):
            assert customer not in found, "one row a customer"
            found[customer] = text
    return found


def expected(log: Log, cut: Cut) -> dict[str, str]:
    return {name: row.to_json() for name, row in batch_rows(log.records, cut.offsets, log.partitions).items()}


@pytest.mark.parametrize("block", [1, 3, 400_000])
@given(seed=st.integers(0, 10**9), count=st.integers(0, 400), customers=st.integers(1, 30), shuffled=st.randoms())
def test_every_state_is_byte_for_byte_that_of_the_pure_fold_at_each_cut(
    block: int, seed: int, count: int, customers: int, shuffled: Random
) -> None:
    """Stale, repeated, corrected, cancelled, retracted, erased and poisoned records, in any order and any chunks."""
    log = random_log(seed, count, customers=customers)
    records = list(log.records)
    shuffled.shuffle(records)
    middle = shuffled.randint(0, len(records))
    table = pa.concat_tables([table_of(records[:middle], 4), table_of(records[middle:], 4)])
    ends = {p: max((r.offset + 1 for r in records if r.partition == p), default=0) for p in range(4)}
    cut = Cut.of({p: shuffled.randint(0, end) for p, end in ends.items()})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns, "BLOCK", block)

        assert states(table, cut) == expected(log, cut)
        assert states(table, Cut.of(ends)) == expected(log, Cut.of(ends))


def test_a_zero_state_a_profile_alone_and_who_came_back_have_rows_and_who_is_erased_has_none() -> None:
    log = Log()
    log.append(order("idle", "o1", status="cancelled"), profile("only", segment="vip"), order("gone", "o1"))
    log.append(erasure("gone"), erasure("never"), order("back", "o1"), erasure("back"), order("back", "o2"))
    cut = Cut.of(dict.fromkeys(range(4), 100))

    found = states(table_of(log.records, 4), cut)

    assert found == expected(log, cut)
    assert found["idle"] == '{"days":{},"profile":null}'
    assert {"idle", "only", "back"} == set(found)
