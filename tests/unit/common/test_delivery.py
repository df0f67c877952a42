"""Kept, then sent, then marked: in order, once in effect, and never lost, wherever a sender is killed."""

import threading
from pathlib import Path

import pytest

from common.errors import StoreUnavailable
from common.servers.delivery import Delivery, Unkept
from common.servers.notifications import ALERTS, BATCH, Notification
from common.servers.webhook import new_breaker
from common.settings import Settings
from tests.support.outbox import MemoryOutbox
from tests.support.webhook import START, Clock, Receiver, notifying

pytestmark = pytest.mark.usefixtures("without_pauses")

HOUR = 3600


class Killed(BaseException):
    """Ends a sender as a kill would."""


def notification(number: int, queue: str = BATCH) -> Notification:
    """The one of that number, which happened so many microseconds after the start."""
    return Notification(queue=queue, at=START + number, id=f"n{number}", body=f'{{"number": {number}}}')


class Sender:
    """A process that sends what is kept; `started` is another one, with a breaker of its own, on the same outbox."""

    def __init__(self, receiver: Receiver, clock: Clock, home: Path, outbox: MemoryOutbox, **more: object) -> None:
        self._receiver = receiver
        self._home = home
        settings = notifying(Settings(home=home), receiver.url, **more).notify
        self.outbox = outbox
        self.clock = clock
        self.delivery = Delivery(settings, outbox, new_breaker(settings, clock.seconds), clock)

    def started(self, **more: object) -> "Sender":
        return Sender(self._receiver, self.clock, self._home, self.outbox, **more)

    def keep(self, *numbers: int) -> None:
        for number in numbers:
            self.outbox.keep(notification(number))


@pytest.fixture
def sender(receiver: Receiver, clock: Clock, tmp_path: Path) -> Sender:
    return Sender(receiver, clock, tmp_path, MemoryOutbox(clock))


def test_what_is_kept_is_sent_in_order_and_marked_once_it_is_acknowledged(sender: Sender, receiver: Receiver) -> None:
    sender.keep(3, 1, 2)

    done = sender.delivery.run(BATCH)

    assert receiver.order == ["n1", "n2", "n3"]
    assert (done.sent, done.failure, done.stopped_at, sender.outbox.left()) == (3, "", None, [])
    assert sender.outbox.writes[3:] == [("delivered", "n1"), ("delivered", "n2"), ("delivered", "n3")]
    sender.delivery.run(BATCH)
    assert receiver.requests == ["n1", "n2", "n3"]


def test_a_receiver_that_is_away_for_an_hour_gets_everything_once_in_effect_and_in_order(
    sender: Sender, receiver: Receiver, clock: Clock
) -> None:
    """Every minute a sender tries; each hour-old notification is sent under its id, signed anew."""
    receiver.down()
    for minute in range(60):
        if minute % 10 == 0:
            sender.keep(minute)
        done = sender.delivery.run(BATCH)
        assert (done.sent, done.refused) == (0, 0)
        assert done.failure
        clock.passes(60)
    kept = ["n0", "n10", "n20", "n30", "n40", "n50"]
    assert sender.outbox.left() == kept
    assert "does not answer" in next(sender.outbox.pending(BATCH)).failure

    receiver.up()
    again = sender.started().delivery.run(BATCH)
    sender.delivery.run(BATCH)

    assert (receiver.order, receiver.requests, receiver.unsigned) == (kept, kept, [])
    assert (again.sent, sender.outbox.left()) == (6, [])
    assert clock() == START + HOUR * 1_000_000


def test_a_sender_that_is_killed_before_it_marks_sends_again_under_the_same_id(
    sender: Sender, receiver: Receiver
) -> None:
    """The receiver drops the id that it knows: once in effect."""
    sender.keep(1, 2)

    def die(name: str, id_: str) -> None:
        if (name, id_) == ("delivered", "n1"):
            raise Killed

    sender.outbox.on_write = die
    with pytest.raises(Killed):
        sender.delivery.run(BATCH)
    sender.outbox.on_write = lambda name, id_: None
    sender.keep(1, 2)  # the run is repeated
    sender.started().delivery.run(BATCH)

    assert receiver.requests == ["n1", "n1", "n2"]
    assert receiver.order == ["n1", "n2"]
    assert sender.outbox.left() == []


def test_a_notification_that_was_delivered_is_not_sent_again_if_it_is_kept_again(
    sender: Sender, receiver: Receiver
) -> None:
    sender.keep(1)
    sender.delivery.run(BATCH)
    sender.keep(1)
    sender.delivery.run(BATCH)

    assert receiver.requests == ["n1"]


def test_none_overtakes_one_that_the_receiver_does_not_take_now(sender: Sender, receiver: Receiver) -> None:
    sender.keep(1, 2, 3)
    receiver.answers = lambda id_: 503 if id_ == "n2" else 204

    done = sender.delivery.run(BATCH)

    assert (done.sent, done.stopped_at, sender.outbox.left()) == (1, START + 2, ["n2", "n3"])
    assert "n3" not in receiver.requests
    assert "answered 503" in done.failure


def test_one_that_is_refused_for_what_it_is_stops_nobody_and_stays(sender: Sender, receiver: Receiver) -> None:
    sender.keep(1, 2, 3)
    receiver.answers = lambda id_: 422 if id_ == "n2" else 204

    done = sender.delivery.run(BATCH)

    assert (done.sent, done.refused, done.failure, done.stopped_at) == (2, 1, "", None)
    assert sender.outbox.left() == ["n2"]
    receiver.answers = lambda id_: 204
    sender.delivery.run(BATCH)
    assert receiver.order == ["n1", "n3", "n2"]


def test_a_pass_ends_after_its_seconds_whatever_the_receiver_does(
    receiver: Receiver, clock: Clock, sender: Sender
) -> None:
    receiver.delay = threading.Event()
    slow = sender.started(timeout_seconds=30)
    slow.keep(1, 2)

    done = slow.delivery.run(BATCH, seconds=0.3)
    receiver.delay.set()

    assert (done.sent, done.failure, slow.outbox.left()) == (0, "0.3 s are over", ["n1", "n2"])
    assert done.stopped_at == START + 1


def test_a_pass_over_a_long_queue_ends_after_so_many_and_says_where(sender: Sender, receiver: Receiver) -> None:
    sender.keep(1, 2, 3)

    first = sender.delivery.run(BATCH, most=2)
    assert (first.sent, first.failure, first.stopped_at) == (2, "", START + 3)
    assert first.stopped_at is not None
    second = sender.delivery.run(BATCH, since=first.stopped_at, most=2)

    assert (second.sent, second.stopped_at) == (1, None)
    assert receiver.requests == ["n1", "n2", "n3"]


def test_while_the_circuit_is_open_neither_receiver_nor_store_is_written_to(
    sender: Sender, receiver: Receiver, clock: Clock
) -> None:
    sender.keep(1)
    receiver.answers = lambda id_: 503
    sender.delivery.run(BATCH)
    sender.delivery.run(BATCH)
    assert len(receiver.requests) == 5
    sender.outbox.writes.clear()

    for _ in range(20):
        done = sender.delivery.run(BATCH)
        clock.passes(2)

    assert "circuit breaker is open" in done.failure
    assert (len(receiver.requests), sender.outbox.writes) == (5, [])


def test_queues_are_apart(sender: Sender, receiver: Receiver) -> None:
    sender.keep(2)
    sender.outbox.keep(notification(1, ALERTS))

    sender.delivery.run(BATCH)

    assert receiver.requests == ["n2"]
    assert sender.outbox.left(ALERTS) == ["n1"]


def test_a_store_that_is_away_is_raised(sender: Sender) -> None:
    """It is not the webhook's failure, and nothing may look delivered."""
    sender.keep(1)

    def away(name: str, id_: str) -> None:
        raise StoreUnavailable("away")

    sender.outbox.on_write = away
    with pytest.raises(StoreUnavailable):
        sender.delivery.run(BATCH)


def test_what_could_not_be_kept_is_sent_all_the_same(sender: Sender, receiver: Receiver) -> None:
    alone = Delivery(sender.delivery.settings, Unkept(notification(1)), sender.delivery.breaker, sender.clock)

    assert alone.run(BATCH).sent == 1
    assert receiver.order == ["n1"]
