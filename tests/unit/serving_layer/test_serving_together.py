"""Reads of single customers are joined while others are under way; each request gets its own rows, or its own error."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from common.errors import StoreUnavailable
from serving_layer.read.together import UNDER_WAY, Together


class Store:
    """Answers a read when it is let; `asked` has the customers of each."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gate = asyncio.Event()
        self.bad: set[str] = set()

    async def read(self, customers: list[str]) -> Sequence[Sequence[Any]]:
        self.asked.append(list(customers))
        await self.gate.wait()
        if self.bad & set(customers):
            raise StoreUnavailable(f"no answer for {self.bad & set(customers)}")
        return [(customer, number) for customer in customers for number in range(2) if customer != "nobody"]


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_request_that_comes_alone_is_read_at_once_and_alone() -> None:
    async def story() -> tuple[Store, Any]:
        store = Store()
        store.gate.set()
        return store, await Together(8).rows("key", store.read, "ada", list)

    store, rows = asyncio.run(story())
    assert store.asked == [["ada"]]
    assert rows == [("ada", 0), ("ada", 1)]


def test_those_that_come_while_reads_are_under_way_are_joined_up_to_the_most_and_each_gets_its_own_rows() -> None:
    customers = [f"c{number}" for number in range(UNDER_WAY + 7)]

    async def story() -> tuple[Store, list[Any]]:
        store, together = Store(), Together(5)
        asked = [asyncio.ensure_future(together.rows("key", store.read, customer, list)) for customer in customers]
        await _turns()
        assert store.asked == [[customer] for customer in customers[:UNDER_WAY]]
        store.gate.set()
        found = await asyncio.gather(*asked)
        assert together._lanes == {}, "nothing is left"
        return store, found

    store, found = asyncio.run(story())
    assert store.asked[UNDER_WAY:] == [customers[UNDER_WAY : UNDER_WAY + 5], customers[UNDER_WAY + 5 :]]
    assert found == [[(customer, 0), (customer, 1)] for customer in customers]


def test_r20_a_request_is_answered_by_a_read_that_began_after_it() -> None:
    """Also one for a customer that is being read: what was acknowledged in between must be in its answer."""

    async def story() -> Store:
        store, together = Store(), Together(8)
        asked = [asyncio.ensure_future(together.rows("key", store.read, "ada", list)) for _ in range(UNDER_WAY + 2)]
        await _turns()
        store.gate.set()
        await asyncio.gather(*asked)
        return store

    assert asyncio.run(story()).asked == [["ada"]] * (UNDER_WAY + 1)


def test_a_customer_without_rows_gets_none_and_other_keys_are_other_reads() -> None:
    async def story() -> tuple[Store, list[Any]]:
        store, together = Store(), Together(8)
        store.gate.set()
        found = await asyncio.gather(
            together.rows(("select", 5), store.read, "nobody", list),
            together.rows(("select", 6), store.read, "nobody", list),
        )
        return store, list(found)

    store, found = asyncio.run(story())
    assert [list(rows) for rows in found] == [[], []]
    assert store.asked == [["nobody"], ["nobody"]]


def test_a_joined_read_that_fails_is_read_again_one_by_one_and_only_the_bad_customer_fails() -> None:
    customers = ["a", "b", "c", "d", "e"]

    async def story() -> tuple[Store, list[Any]]:
        store, together = Store(), Together(8)
        store.bad = {"d"}
        asked = [asyncio.ensure_future(together.rows("key", store.read, customer, list)) for customer in customers]
        await _turns()
        store.gate.set()
        return store, await asyncio.gather(*asked, return_exceptions=True)

    store, found = asyncio.run(story())
    assert [isinstance(each, StoreUnavailable) for each in found] == [False, False, False, True, False]
    assert store.asked[UNDER_WAY:] == [customers[UNDER_WAY:], *([each] for each in customers[UNDER_WAY:])]


def test_a_defect_reaches_everyone_who_asked() -> None:
    class Broken(Store):
        async def read(self, customers: list[str]) -> Sequence[Sequence[Any]]:
            await super().read(customers)
            raise ZeroDivisionError

    async def story() -> list[Any]:
        store, together = Broken(), Together(8)
        asked = [asyncio.ensure_future(together.rows("key", store.read, each, list)) for each in ("a", "b", "c", "d")]
        await _turns()
        store.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(each) for each in asyncio.run(story())] == [ZeroDivisionError] * 4


def test_a_request_that_is_given_up_takes_no_other_with_it_and_is_not_read_for_later() -> None:
    async def story() -> tuple[Store, list[Any]]:
        store, together = Store(), Together(8)
        asked = [asyncio.ensure_future(together.rows("key", store.read, each, list)) for each in ("a", "b", "c", "d")]
        await _turns()
        asked[0].cancel()
        asked[2].cancel()
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await asked[0]
        return store, await asyncio.gather(*asked[1:], return_exceptions=True)

    store, found = asyncio.run(story())
    assert store.asked == [["a"], ["b"], ["d"]]
    assert [found[0], found[2]] == [[("b", 0), ("b", 1)], [("d", 0), ("d", 1)]]


def test_what_cannot_be_made_of_one_customers_rows_fails_for_that_customer_alone() -> None:
    def made(rows: Sequence[Any]) -> int:
        return 1 // len(rows)

    async def story() -> list[Any]:
        store, together = Store(), Together(8)
        asked = [together.rows("key", store.read, each, made) for each in ("a", "b", "nobody", "c")]
        store.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(story())
    assert [each if isinstance(each, int) else type(each) for each in found] == [0, 0, ZeroDivisionError, 0]
