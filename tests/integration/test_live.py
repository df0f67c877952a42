"""R14 on the real Kafka and `lambda360 serve`: streams that break and are resumed miss nothing, and repeat nothing."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from common.settings import LiveSettings, ServingSettings, Settings
from tests.support.harness import Child, running, wait_until
from tests.support.live_log import PARTITIONS, TIMEOUT, Follower, LiveLog, all_ready


def serving(system: Settings, **live: object) -> Settings:
    """The system with an API on a port of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    return system.model_copy(update={"serving": ServingSettings(port=port), "live": LiveSettings.model_validate(live)})


def url_of(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.serving.port}"


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def few(system: Settings) -> Settings:
    """A process that keeps ten deltas in memory."""
    return serving(system, recent=10, heartbeat_seconds=1.0)


@pytest.fixture
def log(few: Settings) -> LiveLog:
    return LiveLog(few)


@pytest.fixture
def api(few: Settings) -> Iterator[Child]:
    with running(few, "serve") as child:
        wait_until(lambda: is_up(url_of(few)), 60, "the API is up")
        yield child


def test_r14_streams_that_break_get_each_delta_once(few: Settings, log: LiveLog, api: Child) -> None:
    """Eight clients; one is cut off three times, and resumes from the topic, while copies are published again."""
    log.append(20)

    async def story() -> None:
        begun = list(log.ends)
        steady = [Follower(url_of(few)) for _ in range(7)]
        broken = Follower(url_of(few))
        ends = [end + 90 for end in begun]
        following = [asyncio.create_task(each.until(ends)) for each in steady]
        await all_ready(steady)
        await broken.until(begun, most=1)
        for turn in range(3):
            await asyncio.to_thread(log.append, 30)
            await asyncio.to_thread(log.repeat, turn, 25)
            await broken.until(ends, most=40)
        await broken.until(ends)
        await asyncio.gather(*following)
        for each in (*steady, broken):
            assert (each.losses(begun, ends), each.repeats(), each.missing) == (0, 0, [])

    asyncio.run(asyncio.wait_for(story(), TIMEOUT))


def test_r14_a_stream_goes_on_at_a_new_process(few: Settings, log: LiveLog) -> None:
    """And what the topic has lost meanwhile is a gap that names it."""

    def followed(follower: Follower, ends: list[int], most: int = 10**9) -> None:
        with running(few, "serve"):
            wait_until(lambda: is_up(url_of(few)), 60, "the API is up")
            asyncio.run(asyncio.wait_for(follower.until(ends, most), TIMEOUT))

    log.append(5)
    follower = Follower(url_of(few))
    followed(follower, log.ends, most=1)
    log.append(50)
    followed(follower, log.ends)
    assert (follower.losses([5] * PARTITIONS, log.ends), follower.repeats(), follower.missing) == (0, 0, [])
    log.append(50)
    log.expire(2, 80)
    followed(follower, log.ends)
    assert follower.missing == [{"partition": 2, "first": 55, "last": 79}]
    assert (follower.losses([5] * PARTITIONS, log.ends), follower.repeats()) == (25, 0)


def test_without_kafka_a_stream_is_refused_with_the_reason(system: Settings) -> None:
    away = system.log.model_copy(update={"bootstrap_servers": "127.0.0.1:9"})
    settings = serving(system).model_copy(update={"log": away})
    with running(settings, "serve"):
        wait_until(lambda: is_up(url_of(settings)), 60, "the API is up")
        answer = httpx.get(f"{url_of(settings)}/v1/deltas", timeout=30)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["detail"].startswith("Kafka at 127.0.0.1:9 does not answer")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_r14_five_hundred_clients_one_of_them_killed_ten_times(
    system: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures of issue 13: gaps 0, repeats 0."""
    settings = serving(system, clients=520)  # a broken connection counts until the process notices
    log, clients, turns, each_turn = LiveLog(settings), 500, 10, 25

    async def story(url: str) -> tuple[Follower, list[Follower], float]:
        begun = list(log.ends)
        ends = [end + turns * each_turn for end in begun]
        steady, broken = [Follower(url) for _ in range(clients)], Follower(url)
        following = [asyncio.create_task(each.until(ends)) for each in steady]
        await all_ready(steady)
        await broken.until(begun, most=1)
        started = time.monotonic()
        for turn in range(turns):
            await asyncio.to_thread(log.append, each_turn)
            await asyncio.to_thread(log.repeat, turn % PARTITIONS, each_turn)
            await broken.until(ends, most=60)
        await broken.until(ends)
        await asyncio.gather(*following)
        return broken, steady, time.monotonic() - started

    log.append(10)
    begun = list(log.ends)
    with running(settings, "serve"):
        wait_until(lambda: is_up(url_of(settings)), 60, "the API is up")
        broken, steady, seconds = asyncio.run(asyncio.wait_for(story(url_of(settings)), 500))
    everyone = [broken, *steady]
    events = sum(len(got) for each in everyone for got in each.got.values())
    gaps = sum(each.losses(begun, log.ends) + len(each.missing) for each in everyone)
    repeats = sum(each.repeats() for each in everyone)
    with capsys.disabled():
        print(  # noqa: T201 # the figure of the issue
            f"\n{len(everyone)} clients, {events} events in {seconds:.1f} s ({events / seconds:.0f}/s), "
            f"one client on {broken.connections} connections: gaps {gaps}, repeats {repeats}"
        )
    assert (gaps, repeats) == (0, 0)
    assert broken.connections >= turns + 1
