"""R10, R24: the speed layer's own decisions, in batches of any size and from any start, write the model's tables."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.algebra import facts
from speed_layer.apply.decide import Applied, mutations
from speed_layer.apply.known import EVERY_KIND, Known
from speed_layer.apply.rows import Mutation, Placed, Reset
from tests.support.builders import Log
from tests.support.model import SpeedTables, read
from tests.support.speed_fakes import ALERTS
from tests.support.strategies import PARTITIONS, logs


def write(tables: SpeedTables, customer_id: str, mutation: Mutation) -> None:
    """A mutation as Cassandra applies it: all of its rows, or none."""
    if isinstance(mutation, Reset):
        tables.reset(customer_id, mutation.offset, mutation.delta)
        return
    assert len({change.entity for change in mutation}) == len(mutation), "at most one record of an entity"
    for change in mutation:
        fact = msgspec.structs.replace(change.fact, alerts=())  # the model knows none
        tables.change(customer_id, change.entity, fact, change.delta)


def work(tables: SpeedTables, log: Log, bounds: list[int], lost: st.DataObject | None = None) -> SpeedTables:
    """Each stretch of the log in one batch, by a worker that remembers nothing; it may die before a mutation."""
    for start, stop in pairwise(bounds):
        placed: dict[str, list[Placed]] = {}
        for record in log.records[start:stop]:
            event = read(record, PARTITIONS)
            if event is not None:
                placed.setdefault(event.customer_id, []).append(Placed(record.offset, record.appended_at, event))
        for customer_id, records in placed.items():
            stored = {key: facts.decode_fact(text) for key, text in tables.facts.get(customer_id, {}).items()}
            known = Known(tables.resets.get(customer_id), dict(stored), complete=EVERY_KIND)
            for mutation in mutations(records, known, ALERTS, Applied()):
                if lost is not None and lost.draw(st.integers(0, 9)) == 0:
                    break
                write(tables, customer_id, mutation)
    return tables


@st.composite
def logs_in_batches(draw: st.DrawFn) -> tuple[Log, list[int]]:
    log = draw(logs)
    end = len(log.records)
    inner = draw(st.lists(st.integers(0, end), max_size=5))
    return log, [0, *sorted(inner), end]


@given(logs_in_batches())
def test_batches_of_any_size_write_what_one_record_at_a_time_writes(drawn: tuple[Log, list[int]]) -> None:
    log, bounds = drawn
    assert work(SpeedTables(PARTITIONS), log, bounds).content() == SpeedTables(PARTITIONS).apply(log.records).content()


@given(logs_in_batches(), st.data())
def test_a_worker_that_dies_between_mutations_is_made_good_by_a_replay(
    drawn: tuple[Log, list[int]], data: st.DataObject
) -> None:
    """R12: progress has not moved past what was lost, so all of it is met again."""
    log, bounds = drawn
    tables = SpeedTables(PARTITIONS)
    for start, stop in pairwise(bounds):
        work(tables, log, [start, stop], lost=data)
        work(tables, log, [start, stop])
    assert tables.content() == SpeedTables(PARTITIONS).apply(log.records).content()
