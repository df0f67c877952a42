"""R13 against R10: what a rebuild folds is what workers left, cell by cell, in one round or in several."""

from hypothesis import given
from hypothesis import strategies as st

from batch_layer.view.fold import Folded
from common.algebra.facts import encode
from infra.proof.oracle import RawRecord
from tests.support.builders import Log, random_messages
from tests.support.model import SpeedTables, read

PARTITIONS = 4


def history(seed: int) -> list[RawRecord]:
    log = Log(PARTITIONS)
    log.append(*random_messages(seed=seed, count=80, customers=4))
    return sorted(log.records, key=lambda record: (record.partition, record.offset))


def rebuilt(records: list[RawRecord], rounds: list[list[RawRecord]], deltas_from: int = 0) -> dict[str, Folded]:
    """The rows after all rounds; each begins with the facts and the reset that the one before stored."""
    stored: dict[str, Folded] = {}
    for some in rounds:
        for record in some:
            event = read(record, PARTITIONS)
            if event is not None:
                rows = stored.setdefault(event.customer_id, Folded(deltas_from))
                rows.apply(record.offset, record.appended_at, event)
    return stored


def cells(stored: dict[str, Folded]) -> tuple[object, ...]:
    facts = {c: {key: encode(fact) for key, fact in rows.facts.items()} for c, rows in stored.items() if rows.facts}
    deltas: dict[str, dict[int, str]] = {}
    for customer, rows in stored.items():
        own = {offset: encode(delta) for offset, delta in rows.deltas}
        if rows.reset is not None and rows.reset_offset is not None:
            own[rows.reset_offset] = encode(rows.reset)
        if own:
            deltas[customer] = own
    return facts, deltas, {c: rows.reset_offset for c, rows in stored.items() if rows.reset_offset is not None}


@given(seed=st.integers(0, 10_000))
def test_r13_a_rebuild_folds_what_workers_leave(seed: int) -> None:
    records = history(seed)

    assert cells(rebuilt(records, [records])) == SpeedTables(PARTITIONS).apply(records).content()


@given(seed=st.integers(0, 10_000), again=st.integers(0, 80))
def test_r13_a_round_that_is_done_again_leaves_the_same_rows(seed: int, again: int) -> None:
    """A task that is retried meets its own facts."""
    records = history(seed)
    whole = cells(rebuilt(records, [records]))
    facts, _, resets = cells(rebuilt(records, [records, records[-again:] if again else []]))

    assert (facts, resets) == (whole[0], whole[2])


@given(seed=st.integers(0, 10_000), floor=st.integers(0, 40))
def test_r13_deltas_below_the_least_cut_are_left_out_and_no_fact_is(seed: int, floor: int) -> None:
    records = history(seed)
    facts, deltas, resets = cells(rebuilt(records, [records], floor))
    all_facts, all_deltas, all_resets = SpeedTables(PARTITIONS).apply(records).content()

    assert (facts, resets) == (all_facts, all_resets)
    assert isinstance(all_deltas, dict)
    kept = {
        c: {o: text for o, text in own.items() if o >= floor or o == resets.get(c)}  # type: ignore[attr-defined] # a dict
        for c, own in all_deltas.items()
    }
    assert deltas == {customer: own for customer, own in kept.items() if own}
