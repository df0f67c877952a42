"""R9, R21: an explanation adds up: batch + deltas = sum, and its metrics are those of the answer from the same pin."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from common.algebra.dates import date_of, day_of
from common.algebra.facts import Delta, Fact, Image, decide
from common.algebra.measures import INDEX, MEASURES, contribution
from common.algebra.merge import merge, parts
from common.algebra.metrics import present
from common.algebra.payloads import MarketingEvent, Order, Payload, Refund, Retracted, SupportTicket
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from serving_layer.answer.explained import batch_part, listed, measure_sums
from serving_layer.answer.provenance import batch_info
from serving_layer.answer.readable import money
from tests.support.deltas import changed
from tests.support.serving_fakes import MemoryViewStore, Shared, pointing_at, published

DAY = 86_400_000_000
_days = st.integers(19_850, 19_904).map(lambda day: day * DAY)
_cents = st.integers(0, 10_000)
PAYLOADS: dict[str, st.SearchStrategy[Payload]] = {
    "order": st.builds(Order, _days, _cents, st.sampled_from(("completed", "cancelled"))),
    "refund": st.builds(Refund, st.just("o"), _days, _cents),
    "support_ticket": st.builds(
        SupportTicket, st.just("billing"), st.sampled_from(("low", "urgent")), _days, _days, st.integers(0, 90_000)
    ),
    "marketing_event": st.builds(MarketingEvent, st.sampled_from(("email_open", "email_click")), _days, st.just("c")),
}
_records = st.sampled_from(sorted(PAYLOADS)).flatmap(
    lambda kind: st.tuples(
        st.just(kind), st.sampled_from("xyz"), st.integers(0, 3), PAYLOADS[kind] | st.just(Retracted(kind))
    )
)
History = list[tuple[str, str, int, Payload] | None]
histories = st.lists(st.none() | _records, max_size=14)
"""One customer's records in offset order: an erasure, or a version of an entity; the index is the offset."""
as_ofs = st.integers(19_840, 19_904).map(date_of)


def fold(history: History, below: int) -> tuple[dict[tuple[str, str], Fact], list[tuple[int, Delta]]]:
    """The current facts below an offset and every delta, by the rule for one fact (R4, R9, R24)."""
    facts: dict[tuple[str, str], Fact] = {}
    deltas: list[tuple[int, Delta]] = []
    for offset, record in enumerate(history[:below]):
        if record is None:
            facts.clear()
            deltas.append((offset, Delta.reset(0)))
            continue
        kind, entity_id, version, payload = record
        before = facts.get((kind, entity_id))
        _, fact = decide(before, Image(version, payload), offset)
        if fact is not None:
            facts[kind, entity_id] = fact
            deltas.append((offset, changed(entity_id, fact.before, fact.after)))
    return facts, deltas


@given(histories, st.integers(0, 14), as_ofs)
def test_r21_batch_and_deltas_add_up_to_the_sum_which_is_the_merges(history: History, cut: int, as_of: date) -> None:
    """For every cut: with corrections, retractions, repeats, stale versions and erasures on both sides of it."""
    absorbed, _ = fold(history, cut)
    current, deltas = fold(history, len(history))
    row = ViewRow(State.sum(contribution(fact.after.payload) for fact in absorbed.values())) if absorbed else None

    of = parts(row, deltas, cut)

    whole = State.sum(contribution(fact.after.payload) for fact in current.values())
    assert merge(row, deltas, cut).state == whole
    until = whole.until(day_of(as_of))
    for each in measure_sums(of, as_of):
        total = sum(values[INDEX[each.measure]] for values in until.days.values())
        assert each.sum == (money(total) if each.unit == "money" else total)
        assert _plain(each.batch) + _plain(each.deltas) == _plain(each.sum)


@given(histories, st.integers(0, 14))
def test_r9_the_listed_contributions_are_all_that_the_deltas_add(history: History, cut: int) -> None:
    """Each delta's share by measure and day, summed over the list, is the state's difference to the batch."""
    absorbed, _ = fold(history, cut)
    _, deltas = fold(history, len(history))
    row = ViewRow(State.sum(contribution(fact.after.payload) for fact in absorbed.values())) if absorbed else None
    of = parts(row, deltas, cut)
    base = State({}) if of.base is None else of.base.state

    summed: dict[tuple[str, str], Decimal] = {}
    for each in listed(of, 0):
        for share in each.contribution:
            key = share.measure, share.day.isoformat()
            summed[key] = summed.get(key, Decimal(0)) + _plain(share.amount)

    rest = merge(row, deltas, cut).state - base
    expected = {
        (measure.name, date_of(day).isoformat()): _plain(money(number) if measure.unit == "money" else number)
        for day, numbers in rest.days.items()
        for measure, number in zip(MEASURES, numbers, strict=True)
        if number
    }
    assert {key: number for key, number in summed.items() if number} == expected


@given(histories, st.integers(0, 14))
def test_r21_the_batchs_part_is_what_the_batch_alone_presents_or_nothing_after_an_erasure(
    history: History, cut: int
) -> None:
    absorbed, _ = fold(history, cut)
    _, deltas = fold(history, len(history))
    state = State.sum(contribution(fact.after.payload) for fact in absorbed.values())
    of = parts(ViewRow(state) if absorbed else None, deltas, cut)

    part = batch_part(of, batch_info(published(cut=cut)), date_of(19_904))

    erased_since = any(record is None for record in history[cut:])
    assert part is not None
    assert part.included is (bool(absorbed) and not erased_since)
    assert part.metrics == (present(state, date_of(19_904)) if part.included else None)


def test_r21_the_explanations_metrics_are_those_of_the_answer() -> None:
    """Over HTTP, for a customer of corrections and a retraction on top of a batch, on several days."""
    store = MemoryViewStore(pointing_at(published(cut=3)))
    store.put_order("ada", 1000)
    first, second = Image(1, Order(19_900 * DAY, 500, "completed")), Image(2, Order(19_903 * DAY, 700, "completed"))
    store.put_delta("ada", 4, changed("o2", None, first))
    store.put_delta("ada", 6, changed("o2", first, second))
    store.put_delta("ada", 8, changed("o2", second, Image(3, Retracted("order"))))
    api = Shared.over(store)

    for day in ("2024-06-24", "2024-06-27", "2024-06-30"):
        explained = api.get(f"/v1/customers/ada/explain?as_of={day}").json()
        answered = api.metrics(as_of=day).json()
        assert explained["metrics"] == answered["metrics"]
        assert explained["provenance"] == answered["provenance"]


def _plain(amount: str | int) -> Decimal:
    return Decimal(amount)
