"""R14: what is not acknowledged is not published, whatever the producer says of it, and is sent anew."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.algebra.alerts import LargeRefund
from common.algebra.facts import Image
from common.algebra.payloads import Refund
from common.errors import LogUnavailable
from common.log.copies import Copy
from common.log.copy_events import decode_alert_event, decode_delta_event
from common.log.position import Position
from common.settings import LogSettings, Settings, SpeedSettings
from speed_layer.publish.copies import Copies
from speed_layer.publish.publisher import KafkaSender, Outgoing, Publisher
from tests.support.deltas import changed
from tests.support.speed_fakes import retry
from tests.support.systems import free_ports


class Producer:
    """Acknowledges at a flush, refuses, or says nothing, as told; `sent` is what was acknowledged."""

    def __init__(self, answers: list[str]) -> None:
        self.answers, self.sent, self.queue = answers, list[tuple[Any, ...]](), list[tuple[Any, ...]]()

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, on_delivery: Callable[..., None]) -> None:
        self.queue.append((topic, value, key, partition, on_delivery))

    def flush(self, _: float) -> None:
        answer = self.answers.pop(0) if self.answers else "acknowledged"
        for *message, delivered in self.queue if answer != "silent" else ():
            if answer == "acknowledged":
                self.sent.append(tuple(message))
            delivered(None if answer == "acknowledged" else Refusal(), None)
        self.queue = []

    def purge(self) -> None:
        self.queue = []


class Refusal:
    def str(self) -> str:
        return "refused"


def publisher(*answers: str) -> tuple[Publisher, Producer]:
    sender, fake = KafkaSender(Settings()), Producer(list(answers))
    sender._ready = lambda: fake  # type: ignore[assignment, method-assign, return-value] # stands in for the client
    return Publisher(sender, retry()), fake


def messages(count: int = 3) -> list[Outgoing]:
    return [Outgoing("deltas", b"ada", str(n).encode(), 1) for n in range(count)]


@pytest.mark.parametrize("answer", ["silent", "refused"])
def test_what_is_not_acknowledged_is_sent_anew_and_only_then_counts_as_published(answer: str) -> None:
    made, fake = publisher(answer)
    asyncio.run(made.publish(messages()))
    assert [message[1] for message in fake.sent] == [b"0", b"1", b"2"]
    assert made.copied == {"deltas": 3}


@pytest.mark.parametrize("answer", ["silent", "refused"])
def test_a_producer_that_does_not_deliver_is_a_server_that_is_away(answer: str) -> None:
    made, _ = publisher(answer)
    with pytest.raises(LogUnavailable, match=r"refused|3 not acknowledged"):
        asyncio.run(made._send(messages()))  # type: ignore[arg-type] # it is a coroutine
    assert made.copied == {}


def test_a_broker_that_is_not_there_is_a_server_that_is_away(tmp_path: Path) -> None:
    """The real client: it says nothing at all until the time is over."""
    log = LogSettings(bootstrap_servers=f"127.0.0.1:{free_ports()}")
    settings = Settings(home=tmp_path, log=log, speed=SpeedSettings(publish_timeout_seconds=0.2))
    with pytest.raises(LogUnavailable, match="Kafka does not take what is published"):
        KafkaSender(settings).send(messages())


def test_a_copy_and_its_alerts_go_to_their_topics_in_the_records_partition_under_the_customers_key() -> None:
    made, fake = publisher()
    alert = LargeRefund(1, "r1", "o1", 70_000, 50_000)
    delta = changed("r1", None, Image(1, Refund("o1", 1, 70_000)), 5)

    async def story() -> None:
        messages = await Copies(Settings(), made, "v1").messages([Copy(Position(3, 8), "ada", delta, (alert,))])
        assert fake.sent == []
        await made.publish(messages)

    asyncio.run(story())
    (deltas, body, *ours), (alerts, said, *there) = fake.sent
    assert (deltas, alerts, ours, there) == ("customer_deltas", "customer_alerts", [b"ada", 3], [b"ada", 3])
    assert (decode_delta_event(body).id, decode_alert_event(said).data.alert) == ("3:8", alert)
