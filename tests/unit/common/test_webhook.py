"""The webhook's requests: signed, repeated, bounded; and neither the secret nor the URL's path in any text."""

import asyncio
import threading
from pathlib import Path

import pytest
import structlog

from common.errors import CircuitOpen, Lambda360Error, NotificationRefused, WebhookUnavailable
from common.servers.breaker import Breaker
from common.servers.webhook import host_of, new_breaker, opened
from common.settings import Settings
from tests.support.webhook import SECRET, START, Clock, Receiver, notifying

pytestmark = pytest.mark.usefixtures("without_pauses")

BODY = '{"specversion": "1.0", "data": {"text": "ü"}}'


class Sender:
    def __init__(self, receiver: Receiver, clock: Clock, home: Path, **more: object) -> None:
        self.settings = notifying(Settings(home=home), receiver.url, **more).notify
        self.clock = clock
        self.breaker: Breaker = new_breaker(self.settings, clock.seconds)

    def send(self, id_: str = "n1") -> None:
        async def sent() -> None:
            async with opened(self.settings, self.breaker, self.clock) as webhook:
                await webhook.send(id_, BODY)

        asyncio.run(sent())


@pytest.fixture
def sender(receiver: Receiver, clock: Clock, tmp_path: Path) -> Sender:
    return Sender(receiver, clock, tmp_path)


def test_a_request_is_signed_so_that_any_standard_receiver_verifies_it(sender: Sender, receiver: Receiver) -> None:
    sender.send("lambda360:12:duration")

    assert receiver.unsigned == []
    assert receiver.effects == {"lambda360:12:duration": {"specversion": "1.0", "data": {"text": "ü"}}}


def test_each_attempt_is_signed_with_its_own_time(sender: Sender, receiver: Receiver, clock: Clock) -> None:
    """A receiver refuses what was signed more than five minutes ago; a replay is not that."""
    clock.passes(3600)

    sender.send()

    assert receiver.order == ["n1"]
    assert clock() == START + 3_600_000_000


@pytest.mark.parametrize("status", [500, 503, 429, 404, 401, 302])
def test_an_answer_about_the_receiver_is_retried_and_then_unavailable(
    sender: Sender, receiver: Receiver, status: int
) -> None:
    receiver.answers = lambda id_: status

    with pytest.raises(WebhookUnavailable, match=f"http://127.0.0.1:{receiver.port} answered {status}"):
        sender.send()

    assert receiver.requests == ["n1"] * 4


def test_a_second_attempt_that_is_taken_is_enough(sender: Sender, receiver: Receiver) -> None:
    receiver.answers = lambda id_: 503 if len(receiver.requests) < 2 else 200

    sender.send()

    assert receiver.requests == ["n1", "n1"]
    assert receiver.order == ["n1"]


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_an_answer_about_the_notification_is_not_retried(sender: Sender, receiver: Receiver, status: int) -> None:
    receiver.answers = lambda id_: status

    with pytest.raises(NotificationRefused, match=f"answered {status}"):
        sender.send()

    assert receiver.requests == ["n1"]


def test_a_receiver_that_hangs_is_waited_for_as_long_as_the_setting_says(
    receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    receiver.delay = threading.Event()
    sender = Sender(receiver, clock, tmp_path, timeout_seconds=0.2, attempts=1)

    with pytest.raises(WebhookUnavailable, match=r"did not answer within 0\.2 s"):
        sender.send()
    receiver.delay.set()


def test_the_circuit_opens_after_five_failures_and_is_tried_by_one_probe_after_a_minute(
    receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    sender = Sender(receiver, clock, tmp_path, attempts=1)
    receiver.answers = lambda id_: 503
    for _ in range(5):
        with pytest.raises(WebhookUnavailable):
            sender.send()

    clock.passes(59)
    with pytest.raises(CircuitOpen):
        sender.send()
    assert len(receiver.requests) == 5

    clock.passes(1)
    with pytest.raises(WebhookUnavailable):
        sender.send()  # the probe fails, and the circuit is open for another minute
    with pytest.raises(CircuitOpen):
        sender.send()
    assert len(receiver.requests) == 6

    clock.passes(60)
    receiver.answers = lambda id_: 200
    sender.send()
    sender.send("n2")
    assert receiver.order == ["n1", "n2"]


def test_a_circuit_that_opens_between_two_attempts_ends_them(receiver: Receiver, clock: Clock, tmp_path: Path) -> None:
    sender = Sender(receiver, clock, tmp_path, breaker_threshold=2)
    receiver.answers = lambda id_: 503

    with pytest.raises(CircuitOpen):
        sender.send()

    assert len(receiver.requests) == 2


def test_neither_secret_nor_path_is_in_any_text(receiver: Receiver, sender: Sender) -> None:
    texts: list[str] = []
    with structlog.testing.capture_logs() as logged:
        answers = iter([503] * 4 + [422])
        receiver.answers = lambda id_: next(answers)
        for _ in range(2):
            with pytest.raises(Lambda360Error) as caught:
                sender.send()
            texts.append(str(caught.value))
        receiver.down()
        with pytest.raises(Lambda360Error) as caught:
            sender.send()
        texts.append(str(caught.value))

    told = " ".join([*texts, str(logged), repr(sender.settings)])
    assert [part for part in (SECRET, SECRET.removeprefix("whsec_"), "T0K3N", "K3Y", "pw@") if part in told] == []
    assert logged


def test_a_host_is_named_without_user_path_and_query() -> None:
    assert host_of("https://u:p@hooks.example.com:8443/a/b?c=d") == "https://hooks.example.com:8443"
