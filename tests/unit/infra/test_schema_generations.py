"""R13: the tables of a later generation are declared by the statements that declare the first one's."""

import re

from infra.schema import changes
from infra.schema.generations import statements


def test_r13_every_statement_about_facts_and_deltas_is_said_again_of_the_new_tables() -> None:
    about = [each for each in changes.statements() if re.search(r"\bspeed_(facts|deltas)\b", each)]

    found = statements(2)

    assert len(found) == 4, "a file that changes the speed tables must change those of later generations, too (ADR 24)"

    assert [re.sub(r"(speed_\w+)_g2\b", r"\1", each) for each in found] == about
    assert not any(re.search(r"\bspeed_(facts|deltas)\b", each) for each in found)
    assert [each for each in found if "read_repair" in each] == [
        "ALTER TABLE speed_facts_g2 WITH read_repair = 'NONE'",
        "ALTER TABLE speed_deltas_g2 WITH read_repair = 'NONE'",
    ]
