"""Generations of the speed tables: who may build the next one, and the switch to it (R13). Pure.

The caller applies a change to the pointer by compare-and-set of the whole row.
"""

import msgspec
from msgspec.structs import replace

from common.algebra.pointer import Pointer
from common.errors import ClaimLost


class Generation(msgspec.Struct, frozen=True):
    """One set of speed tables."""

    number: int = 1
    written_since: int = 0
    """Every delta in its tables was written at this moment or later; microseconds (UTC), 0 where unknown."""


def generation_of(pointer: Pointer) -> Generation:
    """Returns the generation that the pointer names, which readers and workers use."""
    return Generation(pointer.generation, pointer.generation_since)


def begin(pointer: Pointer) -> Pointer:
    """Returns the pointer with a new generation claimed in `rebuilding`: a number that was never claimed before.

    A claim of another rebuild is dropped; that rebuild can no longer switch. So a killed rebuild blocks nobody, and two
    rebuilds never write the same tables.
    """
    number = max(pointer.last_generation, pointer.generation) + 1
    return replace(pointer, rebuilding=number, last_generation=number)


def check_claimed(pointer: Pointer, number: int) -> None:
    """Raises ClaimLost if generation `number` may no longer be switched to."""
    if pointer.rebuilding != number:
        raise ClaimLost(
            f"the rebuild of generation {number} was overtaken by another one; generation {pointer.generation} is "
            "served, and this rebuild changed nothing"
        )


def move(pointer: Pointer, built: Generation) -> Pointer:
    """Returns the pointer with `built` as the generation that is served; what it marked is dropped (R18).

    A pointer that names `built` already is returned as it is. Raises ClaimLost if the claim of `built` was dropped.
    """
    if generation_of(pointer) == built:
        return pointer
    check_claimed(pointer, built.number)
    return replace(
        pointer, generation=built.number, generation_since=built.written_since, rebuilding=None, marked=False
    )
