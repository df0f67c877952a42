"""Rows that name the same entity are found, and counted as a slow look at all pairs would count them (R4)."""

from hypothesis import given
from hypothesis import strategies as st

from common.algebra.facts import Image, Origin
from common.algebra.payloads import Order, Retracted
from common.log.events import Event
from infra.ingest.repeats import Repeats, RowsByEntity

Version = tuple[str, str, int, bool, int]
"""Entity, customer, version, whether it is retracted, amount."""


def found(rows: list[Version], *, own_dates: bool = False) -> Repeats:
    collected = RowsByEntity(own_dates=own_dates)
    for number, (entity, customer, version, retracted, amount) in enumerate(rows, 1):
        payload = Retracted("order") if retracted else Order(0, amount, "completed")
        collected.add(number, Event(customer, "order", entity, Image(version, payload), Origin("test", number)))
    return collected.repeats()


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["ada", "ben"]),
        st.integers(min_value=0, max_value=2),
        st.booleans(),
        st.integers(min_value=0, max_value=1),
    ),
    max_size=12,
)


@given(rows=ROWS)
def test_r4_repeats_are_what_a_look_at_all_pairs_finds(rows: list[Version]) -> None:
    repeats = found(rows)

    contents = [(*row[:4], 0 if row[3] else row[4]) for row in rows]
    clashing = [
        number
        for number, one in enumerate(contents, 1)
        if any(one[:4] == other[:4] and one != other for other in contents)
    ]
    customers = {row[0]: {other[1] for other in rows if other[0] == row[0]} for row in rows}
    assert repeats.rows == len(rows)
    assert repeats.entities == len(customers)
    assert repeats.clashing_rows == len(clashing)
    assert repeats.clashing_entities == len({contents[number - 1][:2] for number in clashing})
    assert set(repeats.clashing_example) <= set(clashing)
    assert bool(repeats.clashing_example) == bool(clashing)
    assert repeats.moved_entities == sum(len(named) > 1 for named in customers.values())


@given(rows=ROWS)
def test_r4_a_row_changes_nothing_if_it_leaves_the_current_fact_as_it_was(rows: list[Version]) -> None:
    current: dict[tuple[str, str], tuple[int, bool, int]] = {}
    unchanging = 0
    for entity, customer, version, retracted, amount in rows:
        fact = (version, retracted, 0 if retracted else amount)
        known = current.get((entity, customer))
        if known is not None and (fact[:2] < known[:2] or fact == known):
            unchanging += 1
        else:
            current[entity, customer] = fact

    assert found(rows).unchanging_rows == unchanging


def test_line_items_are_named_with_their_first_rows() -> None:
    lines: list[Version] = [("i1", "ada", 1, False, amount) for amount in (10, 20, 5)]

    repeats = found([*lines, ("i2", "ada", 2, False, 7)])

    assert (repeats.rows, repeats.entities, repeats.clashing_rows, repeats.clashing_example) == (4, 2, 3, (1, 2, 3))


def test_r4_rows_of_one_order_with_different_dates_clash_if_their_dates_are_their_versions() -> None:
    """Ids that a spreadsheet rounded: three orders have become one, and nothing else would show it."""
    rows: list[Version] = [("5.36365E+11", "kim", day, False, day) for day in (1, 2, 3)]

    assert found(rows, own_dates=True).clashing_rows == 3
    assert found(rows).clashing_rows == 0


def test_no_rows_repeat_nothing() -> None:
    assert found([]) == Repeats()
