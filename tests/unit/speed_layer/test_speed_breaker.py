"""R14: a server that is away is waited for, and left alone once it failed often enough; one probe asks again."""

import asyncio
from collections.abc import Iterator

import pytest

from common.errors import CircuitOpen, LogUnavailable, StoreUnavailable, Unavailable
from common.servers.breaker import Breaker, CircuitState
from common.servers.retry import Retry


class Server:
    """Answers, or is away; `asked` counts the calls that reached it."""

    def __init__(self) -> None:
        self.away, self.asked, self.slow = True, 0, asyncio.Event()

    async def ask(self) -> str:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return "done"

    async def ask_slowly(self) -> str:
        self.asked += 1
        await self.slow.wait()
        return await self.ask()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def state(breaker: Breaker) -> str:
    return breaker.state.value


def opened(server: Server, clock: Clock, threshold: int = 5) -> Breaker:
    breaker = Breaker("cassandra", threshold, 60.0, clock)

    async def fail() -> None:
        for _ in range(threshold):
            with pytest.raises(StoreUnavailable, match="away"):
                await breaker.call(server.ask)

    asyncio.run(fail())
    return breaker


def test_failures_in_a_row_open_it_and_then_the_server_is_not_asked() -> None:
    server, clock = Server(), Clock()
    breaker = opened(server, clock)
    assert (breaker.state, breaker.opened, server.asked) == (CircuitState.OPEN, 1, 5)
    with pytest.raises(
        CircuitOpen, match=r"cassandra is not called: its circuit breaker is open \(failures in a row: 5\)"
    ):
        asyncio.run(breaker.call(server.ask))
    assert server.asked == 5


def test_a_success_in_between_starts_the_count_anew() -> None:
    server, breaker = Server(), Breaker("cassandra", 2, 60.0, Clock())

    async def scene() -> None:
        for away in (True, False, True):
            server.away = away
            await asyncio.gather(breaker.call(server.ask), return_exceptions=True)

    asyncio.run(scene())
    assert breaker.state is CircuitState.CLOSED


def test_after_the_recovery_time_one_probe_asks_and_the_others_wait() -> None:
    server, clock = Server(), Clock()
    breaker = opened(server, clock)
    server.away, clock.now = False, 60.0

    async def scene() -> None:
        probe = asyncio.create_task(breaker.call(server.ask_slowly))
        await asyncio.sleep(0)
        assert state(breaker) == "half_open"
        with pytest.raises(CircuitOpen):
            await breaker.call(server.ask)
        server.slow.set()
        assert await probe == "done"
        assert state(breaker) == "closed"
        assert await breaker.call(server.ask) == "done"

    asyncio.run(scene())


def test_a_probe_that_fails_leaves_the_server_alone_for_another_while() -> None:
    server, clock = Server(), Clock()
    breaker = opened(server, clock)
    clock.now = 60.0
    with pytest.raises(StoreUnavailable, match="away"):
        asyncio.run(breaker.call(server.ask))
    clock.now = 119.9
    with pytest.raises(CircuitOpen):
        asyncio.run(breaker.call(server.ask))
    assert (breaker.state, breaker.opened) == (CircuitState.OPEN, 1)


def test_a_probe_that_is_cancelled_leaves_the_place_to_the_next() -> None:
    server, clock = Server(), Clock()
    breaker = opened(server, clock)
    server.away, clock.now = False, 60.0

    async def scene() -> None:
        probe = asyncio.create_task(breaker.call(server.ask_slowly))
        await asyncio.sleep(0)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert await breaker.call(server.ask) == "done"

    asyncio.run(scene())
    assert breaker.state is CircuitState.CLOSED


def test_a_call_begun_before_it_opened_says_nothing_about_the_server_now() -> None:
    server, breaker = Server(), Breaker("cassandra", 1, 60.0, Clock())

    async def scene() -> None:
        old = asyncio.create_task(breaker.call(server.ask_slowly))
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await breaker.call(server.ask)
        server.away = False
        server.slow.set()
        assert await old == "done"

    asyncio.run(scene())
    assert breaker.state is CircuitState.OPEN


def test_a_defect_is_no_failure_of_the_server() -> None:
    breaker = Breaker("cassandra", 1, 60.0, Clock())

    async def ask() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="defect"):
        asyncio.run(breaker.call(ask))
    assert breaker.state is CircuitState.CLOSED


def failing(times: int) -> Iterator[StoreUnavailable]:
    return iter([StoreUnavailable("away")] * times)


def test_a_store_that_is_away_is_waited_for_in_growing_jittered_pauses() -> None:
    """R14."""
    pauses: list[float] = []
    answers = failing(4)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def ask() -> str:
        for error in answers:
            raise error
        return "done"

    retry = Retry(Breaker("server", 9, 60.0), 0.1, 0.5, sleep, jitter=lambda: 1.0)
    assert asyncio.run(retry.until_done(ask)) == "done"
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.5])
    assert retry.waiting == 0


def test_operations_wait_while_the_breaker_is_open_and_all_are_done_in_the_end() -> None:
    """R14: nothing is given up, and while the server is away it is asked once a recovery time, not by everyone."""
    server = Server()
    retry = Retry(Breaker("server", 3, 0.01), 0, 0)

    async def scene() -> list[str]:
        operations = [asyncio.create_task(retry.until_done(server.ask)) for _ in range(50)]
        while retry.breaker.opened < 1 or server.asked < 55:
            await asyncio.sleep(0.001)
        assert retry.waiting == 50
        server.away = False
        return await asyncio.gather(*operations)

    assert asyncio.run(scene()) == ["done"] * 50
    assert server.asked < 200
    assert retry.waiting == 0


def test_a_probe_that_succeeds_wakes_those_who_wait_at_once() -> None:
    """The recovery time is an hour: nobody else wakes them."""
    server, clock = Server(), Clock()
    retry = Retry(Breaker("server", 1, 3600.0, clock), 0, 0)

    async def scene() -> list[str]:
        waiting = [asyncio.create_task(retry.until_done(server.ask)) for _ in range(3)]
        while retry.waiting < 3 or not retry.breaker.is_open:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        server.away, clock.now = False, 3600.0
        assert await retry.breaker.call(server.ask) == "done"
        return await asyncio.wait_for(asyncio.gather(*waiting), 30)

    assert asyncio.run(scene()) == ["done"] * 3


@pytest.mark.parametrize(
    ("error", "server"), [(StoreUnavailable("away"), "cassandra"), (LogUnavailable("away"), "kafka")]
)
def test_either_server_is_waited_for_and_the_line_names_the_one_that_is_away(
    error: Unavailable, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """R14: Kafka's absence is not reported as Cassandra's."""
    answers = iter([error])

    async def ask() -> str:
        for failure in answers:
            raise failure
        return "done"

    retry = Retry(Breaker(server, 9, 60.0), 0, 0)

    assert asyncio.run(retry.until_done(ask)) == "done"
    assert [record.getMessage() for record in caplog.records] == [
        f"event=unavailable server={server} action=retry waiting=0 error=away"
    ]


def test_a_circuit_that_opens_for_kafka_says_so() -> None:
    breaker = Breaker("kafka", 1, 60.0, Clock())

    async def ask() -> None:
        raise LogUnavailable("away")

    with pytest.raises(LogUnavailable):
        asyncio.run(breaker.call(ask))

    with pytest.raises(
        CircuitOpen, match=r"kafka is not called: its circuit breaker is open \(failures in a row: 1\)"
    ) as held_back:
        asyncio.run(breaker.call(ask))
    assert (held_back.value.server, held_back.value.failures) == ("kafka", 1)


def test_any_other_failure_is_not_waited_for() -> None:
    async def ask() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="defect"):
        asyncio.run(Retry(Breaker("server", 9, 60.0), 0, 0).until_done(ask))
