"""Live deltas over HTTP, on a real server and a topic in memory: what is sent, refused, dropped and resumed."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import httpx
import pytest

from common.algebra.facts import Delta
from common.algebra.payloads import Refund
from common.errors import LogError, LogUnavailable
from common.log.partition import partition_of
from common.settings import LiveSettings, Settings
from tests.support.guarded import known_store, served
from tests.support.live_fakes import MemoryTopic
from tests.support.serving_fakes import PARTITIONS, delta
from tests.support.sse import Event, opened

ADA = partition_of("ada", PARTITIONS)
OTHER = (ADA + 1) % PARTITIONS
SECONDS = 20


@pytest.fixture
def topic() -> MemoryTopic:
    return MemoryTopic(PARTITIONS)


@pytest.fixture
def url(topic: MemoryTopic) -> Iterator[str]:
    live = LiveSettings(clients=3, queue=5, recent=4, catch_ups=1, heartbeat_seconds=0.2)
    with served(known_store("ada"), topic, Settings(live=live)) as found:
        yield found


def told(story: Callable[[], object]) -> None:
    """Runs an asynchronous story, bounded in time."""
    asyncio.run(asyncio.wait_for(story(), SECONDS))  # type: ignore[arg-type] # a coroutine function


def vector(**at: int) -> str:
    """An id: `p2=7` is `2:7`, other partitions are at 0."""
    return ",".join(f"{partition}:{at.get(f'p{partition}', 0)}" for partition in range(PARTITIONS))


def test_a_delta_comes_as_it_stands_in_the_topic_with_the_vector_after_it(topic: MemoryTopic, url: str) -> None:
    topic.publish(OTHER, 3)

    async def story() -> None:
        async with opened(url) as stream:
            (begun,) = await stream.take(1, beats=True)
            topic.publish(ADA, 5)
            (event,) = await stream.take(1)
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert "content-security-policy" in stream.headers
            assert (begun.name, begun.id) == ("heartbeat", vector(**{f"p{OTHER}": 4}))
            assert (event.name, event.id) == ("delta", vector(**{f"p{OTHER}": 4, f"p{ADA}": 6}))
            assert event.text == topic.messages[ADA][0].body

    told(story)


def test_an_erasure_is_a_reset(topic: MemoryTopic, url: str) -> None:
    async def story() -> None:
        async with opened(url, "/v1/deltas?kind=refund") as stream:
            await stream.take(1, beats=True)
            topic.publish(ADA, 5, change=Delta.reset(0))
            assert [event.name for event in await stream.take(1)] == ["reset"]

    told(story)


def test_what_is_filtered_out_advances_the_id(topic: MemoryTopic, url: str) -> None:
    """So that a stream that is resumed reads nothing twice."""

    async def story() -> None:
        async with AsyncExitStack() as stack:
            paths = ["/v1/customers/ada/deltas?kind=refund", "/v1/deltas?customer=ada&kind=refund"]
            streams = [await stack.enter_async_context(opened(url, path)) for path in paths]
            for stream in streams:
                await stream.take(1, beats=True)
            topic.publish(ADA, 1, "ada")
            topic.publish(ADA, 2, "eve", delta(Refund("o1", 0, 5)))
            topic.publish(ADA, 3, "ada", delta(Refund("o1", 0, 5)))
            topic.publish(ADA, 4, "eve")
            for stream in streams:
                (event,) = await stream.take(1)
                assert (event.name, event.offset) == ("delta", 3)
                beat = await anext(stream.events())
                assert (beat.name, beat.id) == ("heartbeat", vector(**{f"p{ADA}": 5}))

    told(story)


def test_r14_a_copy_that_is_published_again_is_sent_once(topic: MemoryTopic, url: str) -> None:
    async def story() -> None:
        async with opened(url) as stream:
            await stream.take(1, beats=True)
            for offset in (1, 2, 3, 2, 3, 4):
                topic.publish(ADA, offset)
            assert [event.offset for event in await stream.take(4)] == [1, 2, 3, 4]

    told(story)


@pytest.mark.parametrize("published", [3, 12])
def test_a_stream_resumes_from_memory_and_from_the_topic(topic: MemoryTopic, url: str, published: int) -> None:
    """Of twelve deltas eight are no longer in memory."""

    async def story() -> None:
        async with opened(url) as stream:
            await stream.take(1, beats=True)
            topic.publish(ADA, 0)
            (last,) = await stream.take(1)
        for offset in range(1, published + 1):
            topic.publish(ADA, offset)
            topic.publish(OTHER, offset, "eve")
        async with opened(url, "/v1/deltas?customer=ada", Last_Event_ID=last.id) as stream:
            assert [event.offset for event in await stream.take(published)] == list(range(1, published + 1))
            topic.publish(ADA, published + 1)
            assert [event.offset for event in await stream.take(1)] == [published + 1]

    told(story)


def test_what_the_topic_no_longer_holds_is_a_gap_that_names_it(topic: MemoryTopic, url: str) -> None:
    for offset in range(10):
        topic.publish(ADA, offset)
    topic.expire(ADA, 6)
    topic.publish(OTHER, 0)
    topic.expire(OTHER, 1)

    async def story() -> None:
        async with opened(url, Last_Event_ID=vector(**{f"p{ADA}": 2})) as stream:
            found: list[Event] = []
            while not found or found[-1].name != "delta" or found[-1].offset < 9:
                found += await stream.take(1)
        gaps = [event for event in found if event.name == "gap"]
        missing = [each for gap in gaps for each in gap.data["missing"]]
        assert sorted(missing, key=str) == sorted(
            [{"partition": ADA, "first": 2, "last": 5}, {"partition": OTHER, "first": 0, "last": None}], key=str
        )
        assert [event.offset for event in found if event.name == "delta"] == [6, 7, 8, 9]

    told(story)


def test_a_slow_client_is_dropped_with_an_event_and_can_resume() -> None:
    """It gets what waited for it, then the id at which to go on; over all its connections each delta once."""
    topic, sent = MemoryTopic(PARTITIONS), 6000
    live = LiveSettings(queue=3, recent=10_000)

    async def story(url: str) -> list[Event]:
        got: list[Event] = []
        last: dict[str, str] = {}
        dropped: list[Event] = []
        while len(got) < sent:
            async with opened(url, **last) as stream:
                async for event in stream.events():
                    last = {"Last_Event_ID": event.id}
                    if event.name == "heartbeat" and not topic.messages[ADA]:
                        for offset in range(sent):  # some 4 MB: more than sockets and queue hold
                            topic.publish(ADA, offset)
                    dropped += [event] if event.name == "dropped" else []
                    got += [event] if event.name == "delta" else []
                    if len(got) == sent:
                        break
        assert [event.offset for event in got] == list(range(sent))
        return dropped

    with served(known_store(), topic, Settings(live=live)) as url:
        first, *_ = asyncio.run(asyncio.wait_for(story(url), 2 * SECONDS))
    assert "reads too slowly" in first.data["reason"]


@pytest.mark.parametrize(
    ("path", "last", "rule"),
    [
        ("/v1/deltas?kind=orders", None, "one of order"),
        ("/v1/deltas?customer=", None, "1 to 128"),
        ("/v1/deltas?since=1", None, "no query parameter"),
        ("/v1/customers/a%2Fb/deltas", None, "1 to 128"),
        ("/v1/customers/%ff/deltas", None, "UTF-8"),
        ("/v1/deltas", "7", "PARTITION:OFFSET"),
        ("/v1/deltas", "9:0", "partitions are 0 to 3"),
        ("/v1/deltas", "0:99", "another log"),
    ],
)
def test_what_is_wrong_is_refused_before_a_stream_begins(url: str, path: str, last: str | None, rule: str) -> None:
    answer = httpx.get(url + path, headers={} if last is None else {"Last-Event-ID": last})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert rule in answer.json()["rule"]


def test_too_many_streams_are_a_503_and_a_closed_one_makes_room(url: str) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(opened(url)) for _ in range(3)]
            for stream in streams:
                await stream.take(1, beats=True)
            answer = await asyncio.to_thread(httpx.get, f"{url}/v1/deltas")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "as many as it may" in answer.json()["detail"]
        while True:
            async with opened(url) as stream:
                if stream.status == 200:
                    return
            await asyncio.sleep(0.05)

    told(story)


@pytest.mark.parametrize("failure", [LogUnavailable("Kafka at k:1 does not answer"), LogError("no such topic")])
def test_without_kafka_a_stream_is_refused_and_later_it_is_not(
    topic: MemoryTopic, url: str, failure: Exception
) -> None:
    topic.failure = failure
    answer = httpx.get(f"{url}/v1/deltas")
    assert (answer.status_code, answer.json()["detail"]) == (503, str(failure))
    topic.failure = None

    async def story() -> None:
        async with opened(url) as stream:
            await stream.take(1, beats=True)
            topic.failure = LogError("the topic is gone")
            (event,) = await stream.take(1)
            assert event.name == "dropped"
            assert "the topic is gone" in event.data["reason"]

    told(story)


def test_a_stopping_server_ends_streams_with_where_they_are(topic: MemoryTopic) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            with served(known_store(), topic) as url:
                stream = await stack.enter_async_context(opened(url))
                await stream.take(1, beats=True)
                topic.publish(ADA, 7)
                (last,) = await stream.take(1)
            (event,) = await stream.take(1)
            assert (event.name, event.id) == ("dropped", last.id)
            assert event.data == {"reason": "the server stops"}

    told(story)
