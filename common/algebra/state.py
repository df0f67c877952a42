"""A customer's state: a sparse integer vector over (UTC day, measure), in a commutative group (R5). Pure."""

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

Vector = tuple[int, ...]
"""One value for each measure, in the order of `MEASURES`."""

_DECODER = msgspec.json.Decoder(dict[int, Vector])


class State:
    """Values by UTC day (days since 1970-01-01); a day whose values are all zero is absent. Immutable."""

    __slots__ = ("_days",)

    def __init__(self, days: Mapping[int, Vector]) -> None:
        kept = dict(days)
        # Most states have no such day, and this finds that out at a quarter of the cost of a comprehension.
        self._days = kept if all(map(any, kept.values())) else {day: each for day, each in kept.items() if any(each)}

    @classmethod
    def of_nonzero(cls, days: dict[int, Vector]) -> Self:
        """Returns the state of days none of which is zero, without a look at them; the caller hands `days` over."""
        state = cls.__new__(cls)
        state._days = days  # noqa: SLF001 # a state, too
        return state

    @classmethod
    def sum(cls, states: Iterable[Self]) -> Self:
        """Returns the sum of any number of states; the zero state for none."""
        total: dict[int, list[int]] = {}
        for state in states:
            for day, values in state._days.items():  # noqa: SLF001 # a state, too
                row = total.get(day)
                if row is None:
                    total[day] = list(values)
                else:
                    for index, value in enumerate(values):
                        row[index] += value
        return cls({day: tuple(row) for day, row in total.items()})

    def __add__(self, other: Self) -> Self:
        return self.sum((self, other))

    def __neg__(self) -> Self:
        return type(self)({day: tuple(-value for value in values) for day, values in self._days.items()})

    def __sub__(self, other: Self) -> Self:
        return self + -other

    def __eq__(self, other: object) -> bool:
        return self._days == other._days if isinstance(other, State) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._days.items()))

    def __bool__(self) -> bool:
        return bool(self._days)

    def __repr__(self) -> str:
        return f"State({self.to_json()})"

    @property
    def days(self) -> Mapping[int, Vector]:
        return self._days

    def until(self, day: int) -> Self:
        """Returns the state of the days up to and including `day`."""
        if max(self._days, default=day) <= day:
            return self
        return type(self)({d: values for d, values in self._days.items() if d <= day})

    def to_json(self) -> str:
        """Returns compact JSON, days ascending: `{"20412":[2,1999,…]}`; equal states give equal text."""
        return msgspec.json.encode(dict(sorted(self._days.items()))).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`."""
        return cls(_DECODER.decode(text))
