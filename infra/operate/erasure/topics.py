"""Removes what erasures forget from Kafka: whole beginnings of partitions, since Kafka removes nothing else (R24).

Of the log, what the master holds and the speed layer has applied may go. Of the other topics, what every consumer group
with committed offsets has read. Kafka removes a beginning from its disks segment by segment, each once it is closed
and lies below the beginning; so open segments are closed first (docs/adr/0026).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from common.log.erasure import Erasure
from common.log.position import Position
from common.servers.kafka import TIMEOUT_SECONDS, Inquiry, ask, consumer, kafka_errors, sound
from common.settings import Settings
from infra.operate.erasure.copies import is_forgotten_copy, is_forgotten_letter
from infra.operate.erasure.segments import close_segments

RECENT_MICROS: Final = 30 * 86_400_000_000
"""For so long after an erasure, each maintenance removes what has become removable in its partition."""
_BATCH: Final = 1_000
_QUIET_SECONDS: Final = 30.0

Applied = Mapping[int, int]
Forgotten = Callable[[bytes], bool]


class _Extent(NamedTuple):
    """A topic's offsets by partition."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    """What is below is read; records of open transactions lie above."""
    lasts: Mapping[int, int]
    """What is below is on Kafka's disks."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was done in one topic."""

    topic: str
    removed: int
    """Records that no consumer can read any more."""
    left: Sequence[str]
    """What is still readable, or on Kafka's disks, and why."""


def clear_log(settings: Settings, of: Sequence[Erasure], rejected: Sequence[Position], removable: Applied) -> Cleared:
    """Removes the log's records below `removable` in the partitions where the erasures forget any.

    `rejected` holds the positions of rejected records that have to go.
    """
    last: dict[int, int] = {}
    for position in (*(each.position for each in of), *(Position(p.partition, p.offset + 1) for p in rejected)):
        last[position.partition] = max(position.offset, last.get(position.partition, 0))
    left = [
        f"partition {partition}: offsets below {wanted} have to go, and are archived and applied below "
        f"{removable.get(partition, 0)} only"
        for partition, wanted in sorted(last.items())
        if removable.get(partition, 0) < wanted
    ]
    return _clear(settings, settings.log.topic, {partition: removable.get(partition, 0) for partition in last}, left)


def clear_copies(settings: Settings, of: Sequence[Erasure], now: int) -> list[Cleared]:
    """Removes copies and rejected records in every partition that holds a forgotten one, or had one lately."""
    erased = {each.customer_id: each for each in of}
    lately = {each.position.partition for each in of if each.appended_at > now - RECENT_MICROS}
    kinds: Sequence[tuple[str, Forgotten]] = (
        (settings.log.deltas_topic, lambda value: is_forgotten_copy(value, erased)),
        (settings.log.alerts_topic, lambda value: is_forgotten_copy(value, erased)),
        (settings.log.errors_topic, lambda value: is_forgotten_letter(value, erased)),
    )
    cleared = []
    for topic, forgotten in kinds:
        last = _last_forgotten(settings, topic, forgotten)
        read = _read_by_all(settings, topic)
        left = [
            f"partition {partition}: offsets up to {offset} have to go, and group {read[partition][1]!r} has read "
            f"below {read[partition][0]} only"
            for partition, offset in sorted(last.items())
            if partition in read and read[partition][0] <= offset
        ]
        ends = _extent(settings, topic).ends
        bounds = {p: min(ends[p], read[p][0] if p in read else ends[p]) for p in sorted({*last, *lately} & ends.keys())}
        cleared.append(_clear(settings, topic, bounds, left))
    return cleared


def _clear(settings: Settings, topic: str, bounds: Mapping[int, int], left: Sequence[str]) -> Cleared:
    starts, _, lasts = _extent(settings, topic)
    wanted = {partition: bound for partition, bound in bounds.items() if bound > starts[partition]}
    if wanted:
        close_segments(settings, topic, list(wanted))
        at = [TopicPartition(topic, partition, bound) for partition, bound in wanted.items()]
        ask(settings, partial(_delete, at))
    open_ones = [
        f"partition {partition}: the segment that holds offset {bound} stays on Kafka's disk, since what follows is "
        "not archived and applied, or read: run this again after the next batch"
        for partition, bound in bounds.items()
        if bound < lasts[partition]
    ]
    return Cleared(topic, sum(bound - starts[partition] for partition, bound in wanted.items()), [*left, *open_ones])


def _extent(settings: Settings, topic: str) -> _Extent:
    def extent(inquiry: Inquiry) -> _Extent:
        of = range(inquiry.identity(topic).partitions)
        return _Extent(
            starts=inquiry.first_offsets(topic, of),
            ends=inquiry.end_offsets(topic, of),
            lasts=inquiry.last_offsets(topic, of),
        )

    return ask(settings, extent)


def _last_forgotten(settings: Settings, topic: str, forgotten: Forgotten) -> dict[int, int]:
    """Returns the offset of the last forgotten message in each partition that holds one."""
    starts, ends, _ = _extent(settings, topic)
    unread = {partition for partition, end in ends.items() if end > starts[partition]}
    found: dict[int, int] = {}
    client = consumer(settings, "lambda360-maintenance")
    try:
        client.assign([TopicPartition(topic, partition, starts[partition]) for partition in unread])
        while unread:
            for partition, offset, value in _read(client, settings):
                if value is not None and forgotten(value):
                    found[partition] = offset
                if value is None or offset + 1 >= ends[partition]:
                    unread.discard(partition)
    finally:
        client.close()
    return found


def _read(client: Consumer, settings: Settings) -> list[tuple[int, int, bytes | None]]:
    """Returns partition, offset and value of the next messages; None as value at the end of a partition."""
    messages = client.consume(_BATCH, _QUIET_SECONDS)
    with kafka_errors(settings):
        if not messages:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 # the client's name
        read: list[tuple[int, int, bytes | None]] = []
        for message in messages:
            error = message.error()
            at_end = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 # likewise
            if error is not None and not at_end:
                raise KafkaException(error)
            read.append((message.partition() or 0, message.offset() or 0, None if at_end else message.value() or b""))
    return read


def _delete(at: list[TopicPartition], inquiry: Inquiry) -> None:
    for answer in inquiry.client.delete_records(at, request_timeout=inquiry.left()).values():
        answer.result()


def _read_by_all(settings: Settings, topic: str) -> dict[int, tuple[int, str]]:
    """Returns the least offset that a consumer group has committed in each partition, and the group's name."""
    return ask(settings, partial(_least_committed, topic))


def _least_committed(topic: str, inquiry: Inquiry) -> dict[int, tuple[int, str]]:
    client = inquiry.client
    listed = client.list_consumer_groups(request_timeout=inquiry.left()).result()
    for error in listed.errors or ():  # of a broker whose groups are not known
        raise KafkaException(error)
    least: dict[int, tuple[int, str]] = {}
    for group in sorted(each.group_id for each in listed.valid or ()):
        groups = [ConsumerGroupTopicPartitions(group)]
        [asked] = client.list_consumer_group_offsets(groups, request_timeout=TIMEOUT_SECONDS).values()
        for at in sound(each for each in asked.result().topic_partitions or () if each.topic == topic):
            if at.offset >= 0:
                least[at.partition] = min((at.offset, group), least.get(at.partition, (at.offset, group)))
    return least
