"""Discarding dead letters: the operator's reason is stored in each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.log.dead_letters import Address, Discarded, LetterState
from infra.operate.dead_letters.selection import Selection
from infra.operate.dead_letters.table import OperatorTable


@dataclass(slots=True)
class Given:
    """What a discard did."""

    discarded: int = 0
    replayed: list[Address] = field(default_factory=list)
    """Chosen letters in state replayed; they were left unchanged."""


def give_up(table: OperatorTable, chosen: Selection, reason: Discarded) -> Given:
    """Stores `reason` in every chosen letter that is not in state replayed. Idempotent.

    Raises UsageError for an unknown id, before any letter is written.
    """
    letters: Sequence[tuple[Address, LetterState]] | None = None
    if chosen.ids:
        letters = [(letter.address, letter.state) for letter in map(table.find, chosen.ids)]
    given = Given()
    for address, state in letters or ((e.address, e.state) for e in table.letters(chosen.wanted, with_values=False)):
        if state is LetterState.REPLAYED:
            given.replayed.append(address)
        else:
            table.discard(address, reason)
            given.discarded += 1
    return given
