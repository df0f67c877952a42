"""R17 and R18: what is written and read back is counted exactly, and a slow store is waited for."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from cassandra import OperationTimedOut
from cassandra.query import BatchStatement
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.view.digest import Digest, of_row, total
from batch_layer.view.load import Writer
from batch_layer.view.verify import token_range
from common.algebra.cut import Cut
from common.algebra.pointer import Claim, Plan
from common.settings import BatchSettings, Settings

rows = st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=6, unique_by=lambda row: row[0])


@given(rows, st.randoms(use_true_random=False), st.integers(0, 6))
def test_a_digest_is_of_the_rows_and_not_of_their_order_or_parts(
    view: list[tuple[str, str]], random: Any, cut: int
) -> None:
    shuffled = random.sample(view, len(view))
    parts = total(of_row(*row) for row in shuffled[:cut]) + total(of_row(*row) for row in shuffled[cut:])
    whole = total(of_row(*row) for row in view)
    assert parts == whole == Digest.of(whole.checksum, whole.rows)


@given(rows, rows)
def test_other_rows_have_another_digest(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    assert (total(of_row(*row) for row in one) == total(of_row(*row) for row in other)) is (set(one) == set(other))


@given(st.integers(1, 1000))
def test_token_ranges_meet_and_cover_the_ring(ranges: int) -> None:
    bounds = [token_range(index, ranges) for index in range(ranges)]
    assert (bounds[0][0], bounds[-1][1]) == (-(2**63), 2**63 - 1)
    assert all(left[1] == right[0] for left, right in pairwise(bounds))


class FakeCluster:
    """A session that loses every third batch's first answer; a key's owner follows its last letter."""

    keyspace = "k"

    def __init__(self) -> None:
        self.cluster = self
        self.metadata = self
        self.sent = 0
        self.batches: list[list[Any]] = []
        self.in_flight = self.most_in_flight = 0

    def prepare(self, text: str) -> str:
        self.text = text
        return text

    def get_replicas(self, keyspace: str, key: bytes) -> list[Any]:
        return [SimpleNamespace(address=f"10.0.0.{key[-1] % 2}")]

    def execute_async(self, batch: Any) -> Any:
        self.sent += 1
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        lost = self.sent % 3 == 0

        def result() -> None:
            self.in_flight -= 1
            if lost:
                raise OperationTimedOut
            self.execute(batch)

        return SimpleNamespace(result=result)

    def execute(self, batch: Any) -> None:
        self.batches.append(batch.rows)


class FakeBatch(BatchStatement):  # type: ignore[misc] # the driver is untyped
    def __init__(self, kind: object) -> None:
        self.rows: list[Any] = []

    def add(self, statement: object, row: Any) -> None:
        self.rows.append(row)


def test_rows_go_out_once_acknowledged_by_owner_and_with_few_in_flight(monkeypatch: Any) -> None:
    """R17: every row carries the batch id as column and as timestamp; a batch that got no answer is sent again."""
    monkeypatch.setattr("batch_layer.view.in_flight.BatchStatement", FakeBatch)
    settings = Settings(batch=BatchSettings(load_rows_per_batch=4, load_in_flight=3))
    session: Any = FakeCluster()
    writer = Writer(session, settings, Claim(9, "b", Plan(1, Cut.zero(), "", "")))
    for number in range(50):
        writer.write(f"c{number}", "{}")
    writer.close()
    assert session.text.startswith("INSERT INTO batch_view_b ")
    assert session.text.endswith("USING TIMESTAMP 9")
    assert sorted(row for batch in session.batches for row in batch) == sorted((f"c{n}", 9, "{}") for n in range(50))
    assert all(len({row[0][-1] in "13579" for row in batch}) == 1 for batch in session.batches)
    assert max(len(batch) for batch in session.batches) == 4
    assert session.most_in_flight == 3
