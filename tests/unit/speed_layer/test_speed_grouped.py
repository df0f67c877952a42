"""What is asked for together goes out together, within bounds, and each asker gets its own result."""

import asyncio
from collections.abc import Sequence

import pytest

from common.errors import StoreUnavailable
from speed_layer.store.grouped import Grouped


class Squares:
    """Squares numbers, and remembers which it was asked for together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def run(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        await asyncio.sleep(0)
        return [number**2 for number in numbers]


def test_what_is_asked_in_one_turn_goes_out_in_as_few_groups_as_its_number_needs() -> None:
    squares = Squares()

    async def scene() -> list[int]:
        grouped = Grouped(squares.run, most=3, max_size=100)
        return list(await asyncio.gather(*(grouped.ask(number) for number in range(7))))

    assert asyncio.run(scene()) == [0, 1, 4, 9, 16, 25, 36]
    assert squares.groups == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_group_holds_one_bucket_and_no_more_than_its_bytes() -> None:
    """Cassandra refuses large batches, and a group goes to one replica."""
    squares = Squares()

    async def scene() -> None:
        grouped = Grouped(squares.run, most=10, max_size=100)
        sizes = [(1, "a", 60), (2, "b", 60), (3, "a", 40), (4, "a", 1), (5, "b", 500)]
        await asyncio.gather(*(grouped.ask(number, bucket=bucket, size=size) for number, bucket, size in sizes))

    asyncio.run(scene())
    assert sorted(squares.groups) == [[1, 3], [2], [4], [5]]


def test_a_failure_reaches_everyone_who_asked() -> None:
    async def run(numbers: Sequence[int]) -> list[int]:
        raise StoreUnavailable("away")

    async def scene() -> list[object]:
        grouped = Grouped(run, most=10, max_size=100)
        return list(await asyncio.gather(*(grouped.ask(number) for number in (1, 2)), return_exceptions=True))

    assert [type(error) for error in asyncio.run(scene())] == [StoreUnavailable] * 2


def test_an_asker_who_gives_up_harms_nobody() -> None:
    squares = Squares()

    async def scene() -> int:
        grouped = Grouped(squares.run, most=10, max_size=100)
        first, second = (asyncio.ensure_future(grouped.ask(number)) for number in (2, 3))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(scene()) == 9
