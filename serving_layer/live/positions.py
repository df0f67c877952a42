"""Decides where a watch begins: in which partitions, and from which position in the log."""

from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END

from common.errors import UsageError
from common.log.partition import partition_of
from common.log.position import Position


def parse_positions(texts: Sequence[str]) -> Mapping[int, int]:
    """Returns the offsets by partition that `texts` name, each one a position as `partition:offset`.

    Raises UsageError for any other text, and for a partition that is named twice.
    """
    found: dict[int, int] = {}
    for text in texts:
        try:
            partition, offset = Position.parse(text)
        except ValueError as error:
            raise UsageError("--from", text, str(error)) from None
        if partition in found:
            raise UsageError("--from", text, f"a partition may be named once, and {partition} was named before")
        found[partition] = offset
    return found


def check_partitions(positions: Mapping[int, int], partitions: int) -> None:
    """Raises UsageError for a position in a partition that a topic with `partitions` partitions does not have."""
    for partition, offset in positions.items():
        if partition >= partitions:
            position = str(Position(partition, offset))
            raise UsageError("--from", position, f"the topic's partitions are 0 to {partitions - 1}")


def partitions_of(customers: Collection[str], partitions: int) -> list[int]:
    """The partitions that hold those customers; all of them where none is named."""
    return sorted({partition_of(customer, partitions) for customer in customers}) or list(range(partitions))


def starts(partitions: Collection[int], positions: Mapping[int, int], *, from_beginning: bool) -> Mapping[int, int]:
    """Returns the offset at which each partition of a topic of copies is begun, as Kafka's client names it.

    It is the beginning for a partition that `positions` names, else the beginning or the end, by `from_beginning`.
    Raises UsageError for a position in a partition that is not in `partitions`.
    """
    # A position in the log does not tell the offset of its copy: copies are fewer, and some are published twice. So
    # such a partition is read from its beginning, and what lies below the position is dropped.
    for partition, offset in positions.items():
        if partition not in partitions:
            held = ", ".join(map(str, partitions))
            raise UsageError("--from", str(Position(partition, offset)), f"the customers named lie in partition {held}")
    default = OFFSET_BEGINNING if from_beginning else OFFSET_END
    return {partition: OFFSET_BEGINNING if partition in positions else default for partition in partitions}
