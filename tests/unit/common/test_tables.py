"""The names of tables by generation (R13) and slot (R17)."""

import pytest

from common.algebra.pointer import SLOTS
from common.tables import Tables
from infra.schema import changes


def test_the_first_generation_and_the_slots_have_the_names_that_the_schema_makes() -> None:
    first = Tables(1)

    named = {
        first.facts,
        first.deltas,
        first.alerts,
        first.dead_letters,
        first.progress,
        first.batch_pointer,
        first.batches,
        first.batch_owner,
        first.declared_shapes,
        first.journal,
        first.log_identity,
        first.notifications,
        first.ranked_slots,
        *map(Tables.batch_view, SLOTS),
        *map(Tables.rankings, SLOTS),
    }

    assert named == changes.tables()


def test_r13_a_later_generation_has_facts_and_deltas_of_its_own_and_shares_the_rest() -> None:
    second = Tables(2)

    assert (second.facts, second.deltas) == ("speed_facts_g2", "speed_deltas_g2")
    assert (second.alerts, second.progress) == (Tables(1).alerts, Tables(1).progress)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slots_tables_end_in_its_letter(slot: str) -> None:
    assert Tables.batch_view(slot) == f"batch_view_{slot}"
    assert Tables.rankings(slot) == f"customer_rankings_{slot}"
