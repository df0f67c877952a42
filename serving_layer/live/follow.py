"""Reading the published topics on, without a group: committed messages, each id once."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from common.errors import LogError
from common.log.copies import AlertEvent, DeltaEvent, decode_alert_event, decode_delta_event
from common.log.position import Position
from common.servers import kafka
from common.settings import Settings
from serving_layer.live.contact import Contact

Published = DeltaEvent | AlertEvent
GROUP: Final = "lambda360-watch"
"""Required by the client; nothing joins it and nothing is committed to it."""
REMEMBERED: Final = 100_000
MESSAGES: Final = 500


class Seen:
    """The ids met last: a copy that is published again is shown once, unless it comes very late."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def is_new(self, id_: str) -> bool:
        """Whether this id was not met before; it is now."""
        if id_ in self._ids:
            self._ids.move_to_end(id_)
            return False
        self._ids[id_] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return True


class Follower:
    """The two topics from given offsets on; `tell` hears when Kafka is away, and back. Close it at the end."""

    def __init__(self, settings: Settings, begin: Mapping[str, Mapping[int, int]], tell: Callable[[str], None]) -> None:
        self._alerts_topic = settings.log.alerts_topic
        self._contact = Contact(settings.bootstrap_servers, tell)
        self._client: Consumer = kafka.consumer(
            settings, GROUP, error_cb=self._contact.failed, **{"auto.offset.reset": "earliest"}
        )
        starts = [TopicPartition(topic, p, offset) for topic, at in begin.items() for p, offset in at.items()]
        self._client.assign(starts)
        self._seen = Seen()

    def poll(self, seconds: float) -> list[Published]:
        """What came within `seconds`, at most a few hundred messages; nothing new while Kafka is away.

        The offset reached in each partition is kept meanwhile. Raises LogError for a message, or a topic, that cannot
        be read.
        """
        messages = self._client.consume(MESSAGES, timeout=seconds)
        self._contact.check(lambda: self._answers(seconds))
        return list(self._new(messages))

    def close(self) -> None:
        self._client.close()

    def _answers(self, seconds: float) -> bool:
        try:
            self._client.list_topics(self._alerts_topic, timeout=seconds)
        except KafkaException:
            return False
        return True

    def _new(self, messages: Sequence[Message]) -> Iterator[Published]:
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 # the client's name of the error
                    raise LogError(f"the topics cannot be followed: {error.str()}")
                continue
            event = self._decoded(message)
            if event is not None and self._seen.is_new(event.id):
                yield event

    def _decoded(self, message: Message) -> Published | None:
        value, is_alert = message.value() or b"", message.topic() == self._alerts_topic
        try:
            return decode_alert_event(value) if is_alert else decode_delta_event(value)
        except msgspec.DecodeError as error:
            position = Position(message.partition() or 0, message.offset() or 0)
            text = f"{message.topic()} {position} holds what this release cannot read: {error}"
            raise LogError(text) from error


def wanted(event: Published, customers: Collection[str], kinds: Collection[str]) -> bool:
    """Whether an event is of the customers and kinds asked for; none asked for means all of them.

    A reset is of every kind, and so is an alert: they concern the customer.
    """
    if customers and event.subject not in customers:
        return False
    return not kinds or isinstance(event, AlertEvent) or not event.data.kind or event.data.kind in kinds
