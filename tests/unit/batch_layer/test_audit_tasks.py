"""R18: what an audit's Spark tasks do with a token range, run in this process over rows in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

import pyarrow as pa
import pytest

from batch_layer.audit import facts, scan
from batch_layer.audit.history import folded
from batch_layer.audit.ranges import Scope
from batch_layer.view.digest import of_row, total
from batch_layer.view.images import COLUMNS
from common.algebra.cut import Cut
from common.algebra.payloads import payload_columns
from common.algebra.pointer import Claim, Plan, Published
from common.settings import Settings
from tests.support.audited import Scene
from tests.support.builders import random_log

Task = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
ONE_RANGE: Final = [pa.RecordBatch.from_pydict({"id": [0]})]


class Tables:
    """A Cassandra session on a scene's rows: the current slot is a, of batch 1, and the new one b, of batch 2."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def prepare(self, query: str) -> Any:
        return SimpleNamespace(query=query, fetch_size=0)

    def execute_async(self, statement: Any, values: Sequence[Any]) -> Any:
        return SimpleNamespace(result=lambda: self.execute(statement, values))

    def execute(self, statement: Any, values: Sequence[Any]) -> list[Any]:
        tables = self.scene.tables
        if "batch_view_" in statement.query:
            number, rows = (1, self.scene.base) if "batch_view_a" in statement.query else (2, self.scene.new)
            older = [SimpleNamespace(customer_id="of an older batch", batch_id=0, state="{}")]
            found = rows.items()
            return older + [SimpleNamespace(customer_id=c, batch_id=number, state=r.to_json()) for c, r in found]
        if "speed_deltas" in statement.query:
            cells = [(c, offset, text) for c, deltas in tables.deltas.items() for offset, text in deltas.items()]
            return [SimpleNamespace(customer_id=c, kafka_offset=o, value=text) for c, o, text in cells]
        (customers,) = values
        entities = [(c, *key, text) for c in customers for key, text in tables.facts.get(c, {}).items()]
        entities += [(c, "", "", str(tables.resets[c])) for c in customers if c in tables.resets]
        return [SimpleNamespace(customer_id=c, kind=k, entity_id=e, value=v) for c, k, e, v in entities]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    log = random_log(seed=5, count=400, customers=15)
    cut = {partition: end // 2 for partition, end in log.next_offsets.items()}
    new_cut = {partition: end - 3 for partition, end in log.next_offsets.items()}
    made = Scene.of(log.records, log.partitions, cut, new_cut)

    @contextmanager
    def connected(_: Settings, *, metadata: bool) -> Iterator[Tables]:
        assert not metadata  # it costs more than what a task reads
        yield Tables(made)

    monkeypatch.setattr(scan, "connected", connected)
    monkeypatch.setattr(facts, "connected", connected)
    return made


def scope_of(scene: Scene) -> Scope:
    current = Published(1, "a", Plan(1, Cut.of(scene.cut), "logic", "validation"), 0, 1, "x")
    return Scope(
        settings=Settings(),
        claim=Claim(2, "b", Plan(2, Cut.of(scene.new_cut), "logic", "validation")),
        base=current,
        cut=current.plan.cut,
        generation=1,
        audited=frozenset(scene.new_cut),
        ranges=1,
    )


def task_of(query: Callable[[Any, Scope], Any], scene: Scene) -> Task:
    """The function that the query gives to Spark."""
    frame = SimpleNamespace(mapInArrow=lambda task, schema: task)
    spark = SimpleNamespace(range=lambda *_: frame, sparkContext=SimpleNamespace(defaultParallelism=1))
    task: Task = query(SimpleNamespace(spark=spark), scope_of(scene))
    return task


def test_a_task_digests_the_new_rows_and_compares_every_customer(scene: Scene) -> None:
    """R20: a row of an older batch counts as absent."""
    expected = total(of_row(customer, row.to_json()) for customer, row in scene.new.items())

    (tally,) = [row for batch in task_of(scan.scanned, scene)(ONE_RANGE) for row in batch.to_pylist()]

    assert (tally["rows"], tally["checksum"]) == (expected.rows, expected.checksum)
    assert tally["compared"] + tally["skipped"] == len(scene.customers())
    assert (tally["drifted"], tally["customers"]) == (0, [])


def test_a_task_names_the_customer_whose_delta_is_lost(scene: Scene) -> None:
    customer, offset = next(
        (customer, offset)
        for customer, cells in sorted(scene.tables.deltas.items())
        for offset in cells
        if scene.cut[0] <= offset < scene.new_cut[0] and lost_is_seen(scene, customer, offset)
    )
    del scene.tables.deltas[customer][offset]

    (tally,) = [row for batch in task_of(scan.scanned, scene)(ONE_RANGE) for row in batch.to_pylist()]

    assert (tally["drifted"], tally["customers"]) == (1, [customer])


def lost_is_seen(scene: Scene, customer: str, offset: int) -> bool:
    kept = scene.tables.deltas[customer].pop(offset)
    found = scene.drifted() == {customer}
    scene.tables.deltas[customer][offset] = kept
    return found


def test_a_task_gathers_what_a_recomputed_base_is_joined_with(scene: Scene) -> None:
    rows = [row for batch in task_of(scan.gathered, scene)(ONE_RANGE) for row in batch.to_pylist()]

    assert {row["customer_id"]: row["new"] for row in rows if row["new"]} == {
        customer: row.to_json() for customer, row in scene.new.items()
    }
    assert {
        row["customer_id"]: dict(zip(row["offsets"], row["cells"], strict=True)) for row in rows if row["cells"]
    } == {customer: cells for customer, cells in scene.tables.deltas.items() if cells}


def fact_rows(scene: Scene) -> pa.RecordBatch:
    """The recomputation's current facts as the columns of the master, sorted by customer."""
    rows = []
    for customer in sorted(scene.customers()):
        for (kind, entity_id), fact in folded(scene.recorded(customer)).facts.items():
            payload = {name: getattr(fact.after.payload, name, None) for name in payload_columns()}
            identity = {"customer_id": customer, "kind": kind, "entity_id": entity_id, "kafka_offset": fact.offset}
            image = {"version": fact.after.version, "retracted": fact.after.retracted}
            content = dict.fromkeys(payload) if fact.after.retracted else payload
            rows.append({**content, **identity, **image})
    return pa.RecordBatch.from_pylist([{name: row[name] for name in COLUMNS} for row in rows])


@pytest.mark.parametrize("damaged", [False, True])
def test_a_task_compares_facts_also_of_a_customer_that_lies_across_two_batches_of_rows(
    scene: Scene, damaged: bool
) -> None:
    rows = fact_rows(scene)
    row = rows.to_pylist()[30]
    customer = row["customer_id"]
    if damaged:
        del scene.tables.facts[customer][row["kind"], row["entity_id"]]
    task = facts._task(Cut.of(scene.new_cut), Settings(), 1, frozenset(scene.new_cut))

    (found,) = [row for batch in task([rows.slice(0, 31), rows.slice(31)]) for row in batch.to_pylist()]

    assert (found["customers"], found["facts"]) == (len(scene.new), rows.num_rows)
    assert found["wrong"] == ([customer] if damaged else [])
