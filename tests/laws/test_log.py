"""R4, R6, R9, R10, R23, R24 over whole logs: both layers, merged anywhere, give the oracle's answers."""

from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from common.algebra import facts
from common.algebra.facts import Image, Outcome
from common.algebra.metrics import present
from common.algebra.profile import CustomerProfile, present_profile
from common.algebra.view_row import ViewRow
from infra.proof.oracle import Oracle
from tests.support.builders import Log, random_log
from tests.support.model import Cuts, SpeedTables, batch_rows, batch_states, served
from tests.support.strategies import CUSTOMERS, PARTITIONS, as_ofs, logs


@st.composite
def logs_with_a_cut(draw: st.DrawFn) -> tuple[Log, Cuts, Cuts]:
    """A log, a cut, and an end at or above it, each partition for itself."""
    log = draw(logs)
    end = {partition: draw(st.integers(0, offset)) for partition, offset in log.next_offsets.items()}
    return log, {partition: draw(st.integers(0, offset)) for partition, offset in end.items()}, end


def profile_of(row: ViewRow) -> CustomerProfile | None:
    payload = None if row.profile is None else row.profile.payload
    return payload if isinstance(payload, CustomerProfile) else None


@given(logs_with_a_cut(), as_ofs)
def test_for_every_cut_the_merged_answer_is_the_oracles(drawn: tuple[Log, Cuts, Cuts], as_of: date) -> None:
    """R9, R24: state(below n) = state(below the cut) + the values of the deltas in [cut, n), resets included."""
    log, cut, end = drawn
    oracle = Oracle(log.records, PARTITIONS)
    batch = batch_rows(log.records, cut, PARTITIONS)
    tables = SpeedTables(PARTITIONS).apply(r for r in log.records if r.offset < end[r.partition])
    for customer_id in CUSTOMERS:
        row = served(batch, tables, customer_id, cut, end)
        profile = None if row is None else profile_of(row)
        metrics = None if row is None else present(row.state, as_of, profile)
        assert metrics == oracle.answer(customer_id, as_of, end)
        assert present_profile(profile) == oracle.profile(customer_id, end)
    assert sorted(batch_states(log.records, end, PARTITIONS)) == oracle.customers(end)


@given(logs_with_a_cut())
def test_the_answer_does_not_move_when_a_batch_lands_or_is_rolled_back(drawn: tuple[Log, Cuts, Cuts]) -> None:
    """R23: the speed layer beyond both cuts, every cut gives one state."""
    log, cut, _ = drawn
    tables, end = SpeedTables(PARTITIONS).apply(log.records), log.next_offsets
    batches: list[tuple[dict[str, ViewRow], Cuts]] = [({}, dict.fromkeys(cut, 0))]
    batches += [(batch_rows(log.records, at, PARTITIONS), at) for at in (cut, end)]
    for customer_id in CUSTOMERS:
        merged = [served(batch, tables, customer_id, at, end) for batch, at in batches]
        assert merged[0] == merged[1] == merged[2]


@given(logs, st.data())
def test_a_replay_from_any_earlier_offset_changes_nothing(log: Log, data: st.DataObject) -> None:
    """R10, R12: cut off anywhere, started again anywhere earlier, as often as you like."""
    tables = SpeedTables(PARTITIONS).apply(log.records)
    before = tables.copy().content()
    for _ in range(2):
        start = data.draw(st.integers(0, len(log.records)))
        stop = data.draw(st.integers(start, len(log.records)))
        tables.apply(log.records[start:stop])
        assert tables.content() == before


@given(logs, st.data())
def test_a_worker_killed_at_any_record_and_resumed_earlier_ends_with_the_same_tables(
    log: Log, data: st.DataObject
) -> None:
    """R12: progress is never beyond what was applied, and may be behind it."""
    killed = data.draw(st.integers(0, len(log.records)))
    resumed = data.draw(st.integers(0, killed))
    tables = SpeedTables(PARTITIONS).apply(log.records[:killed]).apply(log.records[resumed:])
    assert tables.content() == SpeedTables(PARTITIONS).apply(log.records).content()


@given(logs, st.data())
def test_a_zombies_late_writes_change_nothing(log: Log, data: st.DataObject) -> None:
    """R10, R11: it decides by what it remembers, and its writes meet newer cells: the greater offset wins."""
    stopped = data.draw(st.integers(0, len(log.records)))
    went_on = data.draw(st.integers(stopped, len(log.records)))
    zombie = SpeedTables(PARTITIONS).apply(log.records[:went_on])
    tables = SpeedTables(PARTITIONS).apply(log.records)
    before = tables.copy().content()
    assert tables.overwritten_by(zombie).content() == before


@given(logs)
def test_every_stored_delta_is_a_change_and_links_to_the_one_before(log: Log) -> None:
    """R9: an entity's deltas form a chain: each one's before is the last one's after, and never the same as its own."""
    tables = SpeedTables(PARTITIONS).apply(log.records)
    for cells in tables.deltas.values():
        chain: dict[tuple[str, str], Image | None] = {}
        for _, delta in sorted((offset, facts.decode_delta(text)) for offset, text in cells.items()):
            if delta.after is None:
                chain.clear()
                continue
            key = delta.kind, delta.entity_id
            assert delta.before == chain.get(key)
            assert delta.before != delta.after
            chain[key] = delta.after


@given(logs)
def test_text_in_the_tables_is_read_back_as_it_was(log: Log) -> None:
    tables = SpeedTables(PARTITIONS).apply(log.records)
    for texts in tables.facts.values():
        assert all(facts.encode(facts.decode_fact(text)) == text for text in texts.values())
    for deltas in tables.deltas.values():
        assert all(facts.encode(facts.decode_delta(text)) == text for text in deltas.values())


def test_the_logs_hold_every_outcome_and_every_poison() -> None:
    """The laws above would hold for logs in which nothing happens; these are not such."""
    log = random_log(seed=1, count=3000, customers=20)
    happened = Counter(SpeedTables(log.partitions).apply(log.records).apply(log.records[-500:]).outcomes)
    assert set(happened) == {*Outcome, "reset", "rejected"}
    assert min(happened.values()) >= 5
    assert {reason for _, reason in Oracle(log.records, log.partitions).rejected} >= {"no value", "an unseen character"}
