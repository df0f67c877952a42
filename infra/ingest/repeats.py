"""Finds the entities that several rows of a file name, in 28 bytes a row: what an export of line items looks like.

It keeps hashes, so that it can miss a repeated entity (one in 10^9 files of a million rows), and names none wrongly
but by a collision of 64 bits.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np

from common.algebra.payloads import Retracted
from common.log.events import Event

MOST_ROWS_NAMED: Final = 3
_HALF: Final = 0x7FFF_FFFF


@dataclass(frozen=True, slots=True)
class Repeats:
    """What the valid rows of a file say about the same entities. Row numbers of examples are at most three."""

    rows: int = 0
    entities: int = 0
    clashing_rows: int = 0
    """Rows of an entity, a customer and a version that have different values: the last one counts (R4).

    If the version is the entity's own date, rows with different dates clash, too: the latest date counts.
    """
    clashing_entities: int = 0
    clashing_example: tuple[int, ...] = ()
    moved_entities: int = 0
    """Entities that rows give to different customers: they count with each of them (R4)."""
    moved_example: tuple[int, ...] = ()
    unchanging_rows: int = 0
    """Rows that change nothing: an earlier row of the file says the same, or has a later version."""


class RowsByEntity:
    """Collects valid rows, in the order of the file. `own_dates` says that their versions are their own dates."""

    def __init__(self, *, own_dates: bool) -> None:
        self._own_dates = own_dates
        self._entities = array("q")
        self._versions = array("q")
        self._customers = array("i")
        self._values = array("i")
        self._rows = array("I")

    def add(self, row: int, event: Event) -> None:
        """Adds a row that is not an erasure's."""
        image = event.image
        if image is None:
            return
        self._entities.append(hash(event.entity_id))
        self._versions.append(image.version * 2 + isinstance(image.payload, Retracted))  # as R4 orders them
        self._customers.append(hash(event.customer_id) & _HALF)
        self._values.append(hash(image.payload) & _HALF)
        self._rows.append(row)

    def repeats(self) -> Repeats:
        """Returns what was found among the rows that were added so far."""
        clashing: list[list[int]] = []
        moved: list[list[int]] = []
        unchanging = 0
        repeated_rows = 0
        groups = 0
        for group in self._groups():
            groups += 1
            repeated_rows += len(group)
            by_customer = defaultdict(list)
            for position in group:
                by_customer[self._customers[position]].append(position)
            if len(by_customer) > 1:
                moved.append(group)
            for positions in by_customer.values():
                unchanging += self._unchanging(positions)
                clashing.extend([clash] if (clash := self._clash(positions)) else [])
        return Repeats(
            rows=len(self._rows),
            entities=len(self._rows) - repeated_rows + groups,
            clashing_rows=sum(map(len, clashing)),
            clashing_entities=len(clashing),
            clashing_example=self._example(clashing),
            moved_entities=len(moved),
            moved_example=self._example(moved),
            unchanging_rows=unchanging,
        )

    def _groups(self) -> Iterator[list[int]]:
        """Yields the positions of each entity that has several, in the order of the file."""
        if not self._rows:
            return
        entities = np.frombuffer(self._entities, dtype=np.int64)
        order = np.argsort(entities, kind="stable")
        ordered = entities[order]
        same = ordered[1:] == ordered[:-1]
        several = np.append(same, False) | np.insert(same, 0, False)
        pairs = zip(ordered[several].tolist(), order[several].tolist(), strict=True)
        for _, group in groupby(pairs, key=itemgetter(0)):
            yield [position for _, position in group]

    def _clash(self, positions: list[int]) -> list[int]:
        """Returns the positions that share a version with different values."""
        if self._own_dates:
            return positions if len({self._values[position] for position in positions}) > 1 else []
        values = defaultdict(set)
        for position in positions:
            values[self._versions[position]].add(self._values[position])
        return [position for position in positions if len(values[self._versions[position]]) > 1]

    def _unchanging(self, positions: list[int]) -> int:
        """Returns how many of one customer's positions leave the current fact as the ones before them made it."""
        count = 0
        current = positions[0]
        for position in positions[1:]:
            older = self._versions[position] < self._versions[current]
            equal = self._versions[position] == self._versions[current]
            if older or (equal and self._values[position] == self._values[current]):
                count += 1
            else:
                current = position
        return count

    def _example(self, groups: list[list[int]]) -> tuple[int, ...]:
        """Returns the first rows of the group that begins first."""
        return tuple(self._rows[position] for position in min(groups, default=[])[:MOST_ROWS_NAMED])
