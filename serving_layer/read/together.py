"""Joins the reads of single customers into one statement while others of the same statement are under way."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from common.errors import StoreUnavailable

UNDER_WAY: Final = 2
"""Joined reads of one key that are under way at once; what comes meanwhile is joined in the next one.

A request that comes alone is never held up. With more of them, each read joins fewer customers.
"""
T = TypeVar("T")
Row = Sequence[Any]
Read = Callable[[list[str]], Awaitable[Sequence[Row]]]
"""Reads the rows of some customers; a row's first value is its customer."""


class Together:
    """Joins at most `most` customers in one read. A read begins after the last request that it answers.

    A statement for many customers costs the client, and the server, a fraction of as many statements. If a joined read
    fails, each of its customers is read alone: one that is too large or too slow fails for itself.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: dict[Hashable, _Lane] = {}

    def rows(self, key: Hashable, read: Read, customer: str, made: Callable[[Sequence[Row]], T]) -> asyncio.Future[T]:
        """Returns a future of what `made` makes of the customer's rows. The read is under way, or waits its turn.

        Reads of equal keys are joined; `read` must be the same for them. The future has the error that the read or
        `made` raises. Who does not want the rows any more cancels it.
        """
        lane = self._lanes.setdefault(key, _Lane(read, [], set()))
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        lane.waiting.append(_Asked(customer, answer, made))
        if len(lane.under_way) < UNDER_WAY:
            self._begin(key, lane)
        return answer

    def _begin(self, key: Hashable, lane: "_Lane") -> None:
        group = lane.waiting[: self._most]
        del lane.waiting[: self._most]
        task = asyncio.create_task(_answer(lane.read, group))
        lane.under_way.add(task)
        task.add_done_callback(lambda done: self._ended(key, lane, done))

    def _ended(self, key: Hashable, lane: "_Lane", task: "asyncio.Task[None]") -> None:
        lane.under_way.discard(task)
        if lane.waiting:
            self._begin(key, lane)
        elif not lane.under_way:
            self._lanes.pop(key, None)


class _Asked(NamedTuple):
    customer: str
    answer: "asyncio.Future[Any]"
    made: Callable[[Sequence[Row]], Any]

    def give(self, rows: Sequence[Row]) -> None:
        """Answers with what is made of the rows, unless the request was given up."""
        if self.answer.done():
            return
        try:
            self.answer.set_result(self.made(rows))
        except Exception as error:  # it is this request's alone
            self.answer.set_exception(error)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Lane(NamedTuple):
    """What is asked by one key; `under_way` are the tasks of the reads that have begun."""

    read: Read
    waiting: list[_Asked]
    under_way: set["asyncio.Task[None]"]


async def _answer(read: Read, group: Sequence[_Asked]) -> None:
    """Answers each one of the group; one whose request was given up is left out of what is read, if that is in time."""
    wanted = [asked for asked in group if not asked.answer.done()]
    customers = list(dict.fromkeys(asked.customer for asked in wanted))
    if not customers:
        return
    try:
        found: dict[str, list[Row]] = {}
        for row in await read(customers):
            found.setdefault(row[0], []).append(row)
    except Exception as error:  # whatever it is, those who asked are told
        if len(customers) > 1 and isinstance(error, StoreUnavailable):
            await asyncio.gather(*(_answer(read, [asked]) for asked in wanted))
        else:
            for asked in wanted:
                asked.fail(error)
        return
    for asked in wanted:
        asked.give(found.get(asked.customer, ()))
