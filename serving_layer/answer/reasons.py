"""A reason why an answer is degraded: its text for people, with its name for programs (R22)."""

from collections.abc import Iterable
from typing import Self

from serving_layer.schemas.provenance import ReasonName


class Reason(str):
    """The text of a reason, which equals that text; `name` is what a program may act on."""

    __slots__ = ("name",)

    name: ReasonName

    def __new__(cls, name: ReasonName, text: str) -> Self:
        made = super().__new__(cls, text)
        made.name = name
        return made


def texts(reasons: Iterable[Reason]) -> list[str]:
    """Returns the reasons' texts, as plain strings."""
    return [str(reason) for reason in reasons]


def names(reasons: Iterable[Reason]) -> list[ReasonName]:
    """Returns the reasons' names, in the same order."""
    return [reason.name for reason in reasons]
