"""Giving dead letters up: an operator's word, kept with each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.log.dead_letters import Address, Discarded, LetterState
from infra.operate.dead_letters.selection import Selection
from infra.operate.dead_letters.table import OperatorTable


@dataclass(slots=True)
class Given:
    """How many letters were given up, and the named ones that were replayed before: these are left as they are."""

    discarded: int = 0
    replayed: list[Address] = field(default_factory=list)


def give_up(table: OperatorTable, chosen: Selection, word: Discarded) -> Given:
    """`word` stands in every chosen letter that is not in the log again. Raises UsageError for an unknown id first."""
    letters: Sequence[tuple[Address, LetterState]] | None = None
    if chosen.ids:
        letters = [(letter.address, letter.state) for letter in map(table.find, chosen.ids)]
    given = Given()
    for address, state in letters or ((e.address, e.state) for e in table.letters(chosen.wanted, with_values=False)):
        if state is LetterState.REPLAYED:
            given.replayed.append(address)
        else:
            table.discard(address, word)
            given.discarded += 1
    return given
