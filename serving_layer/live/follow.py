"""Follows the topics of copies without a consumer group: committed messages only, each id once."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, Literal, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from common.errors import LogError
from common.log.copy_events import AlertEvent, CopyEvent, decode_alert_event, decode_delta_event
from common.log.position import Position
from common.servers import kafka
from common.settings import Settings
from serving_layer.live.contact import Contact

GROUP: Final = "lambda360-watch"
"""Required by the client. Nothing joins this group, and nothing is committed to it."""
REMEMBERED: Final = 100_000
"""So many ids are remembered, to drop copies that are published again."""
MESSAGES: Final = 500
"""The most that one poll returns."""


class Seen:
    """Remembers the last `most` ids. A copy that is published again after more ids than that counts as new."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def is_new(self, id_: str) -> bool:
        """Returns whether the id is new, and remembers it."""
        if id_ in self._ids:
            self._ids.move_to_end(id_)
            return False
        self._ids[id_] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return True


class Received(NamedTuple):
    """A message of a topic of copies: its event, and its bytes as they stand in the topic."""

    event: CopyEvent
    body: bytes


class Follower:
    """Follows the topics of deltas and alerts from given offsets on. It must be closed."""

    def __init__(
        self,
        settings: Settings,
        begin: Mapping[str, Mapping[int, int]],
        report: Callable[[str], None],
        *,
        what: str = "the watch",
        if_gone: Literal["earliest", "error"] = "earliest",
    ) -> None:
        """`begin` has the offset to begin at by topic and partition. `report` is called when Kafka stops answering,
        and when it answers again; `what` goes on then. `if_gone` says what follows where the topic no longer holds an
        offset: it is read on from its beginning, or LogError is raised.
        """
        self._alerts_topic = settings.log.alerts_topic
        self._contact = Contact(settings.bootstrap_servers, report, what)
        self._client: Consumer = kafka.consumer(
            settings, GROUP, error_cb=self._contact.failed, **{"auto.offset.reset": if_gone}
        )
        starts = [TopicPartition(topic, p, offset) for topic, at in begin.items() for p, offset in at.items()]
        self._client.assign(starts)
        self._seen = Seen()
        self.reached: dict[tuple[str, int], int] = {}
        """The offset below which everything was returned, by topic and partition; absent before the first answer."""
        self.met_end: set[tuple[str, int]] = set()
        """Topics and partitions whose end was reached at least once."""

    def poll(self, seconds: float) -> list[CopyEvent]:
        """Returns what arrived within `seconds`, at most MESSAGES events; nothing while Kafka does not answer.

        After such a time it goes on where it was. Raises LogError for a message or a topic that cannot be read.
        """
        return [each.event for each in self.received(seconds) if self._seen.is_new(each.event.id)]

    def received(self, seconds: float) -> list[Received]:
        """Returns what `poll` would, with the bytes of each message, and with copies that are published again."""
        messages = self._client.consume(MESSAGES, timeout=seconds)
        self._contact.check(lambda: self._answers(seconds))
        return [received for message in messages for received in self._read(message)]

    @property
    def is_away(self) -> bool:
        """Whether Kafka does not answer, as far as it was reported."""
        return self._contact.is_away

    def close(self) -> None:
        self._client.close()

    def _answers(self, seconds: float) -> bool:
        try:
            self._client.list_topics(self._alerts_topic, timeout=seconds)
        except KafkaException:
            return False
        return True

    def _read(self, message: Message) -> Iterator[Received]:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 # the client's own name
            raise LogError(f"the topics cannot be followed: {error.str()}")
        place = (message.topic() or "", message.partition() or 0)
        end = message.offset() or 0
        if error is None:
            yield Received(self._decoded(message), message.value() or b"")
            end += 1
        else:
            self.met_end.add(place)
        self.reached[place] = end

    def _decoded(self, message: Message) -> CopyEvent:
        value = message.value() or b""
        try:
            if message.topic() == self._alerts_topic:
                return decode_alert_event(value)
            return decode_delta_event(value)
        except msgspec.DecodeError as error:
            position = Position(message.partition() or 0, message.offset() or 0)
            text = f"this release cannot read the message at {position} of {message.topic()}: {error}"
            raise LogError(text) from error


def wanted(event: CopyEvent, customers: Collection[str], kinds: Collection[str]) -> bool:
    """Returns whether an event is of the customers and kinds asked for. An empty collection asks for all.

    A reset and an alert concern the customer: they are of every kind.
    """
    if customers and event.subject not in customers:
        return False
    return not kinds or isinstance(event, AlertEvent) or not event.data.kind or event.data.kind in kinds
