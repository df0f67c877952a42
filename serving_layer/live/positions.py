"""Where a watch begins: in which partitions, and from which position in the log."""

from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END

from common.errors import UsageError
from common.log.partition import partition_of
from common.log.position import Position


def parse_positions(texts: Sequence[str]) -> Mapping[int, int]:
    """The offsets by partition that `P:O …` name. Raises UsageError for anything else, and for a partition twice."""
    found: dict[int, int] = {}
    for text in texts:
        try:
            partition, offset = Position.parse(text)
        except ValueError as error:
            raise UsageError("--from", text, str(error)) from None
        if partition in found:
            raise UsageError("--from", text, f"partition {partition} is named once")
        found[partition] = offset
    return found


def check_partitions(positions: Mapping[int, int], partitions: int) -> None:
    """Raise UsageError for a position in a partition that a topic of so many does not have."""
    for partition, offset in positions.items():
        if partition >= partitions:
            raise UsageError(
                "--from", str(Position(partition, offset)), f"the topic's partitions are 0 to {partitions - 1}"
            )


def partitions_of(customers: Collection[str], partitions: int) -> list[int]:
    """The partitions that hold those customers; all of them where none is named."""
    return sorted({partition_of(customer, partitions) for customer in customers}) or list(range(partitions))


def starts(partitions: Collection[int], positions: Mapping[int, int], *, from_beginning: bool) -> Mapping[int, int]:
    """Where each partition of a topic is begun: its beginning where a position is named there, else as asked.

    A position in the log says nothing of the offset that its copy has in a topic: copies are fewer, and some come
    twice. Raises UsageError for a position in another partition.
    """
    for partition, offset in positions.items():
        if partition not in partitions:
            held = ", ".join(map(str, partitions))
            raise UsageError("--from", str(Position(partition, offset)), f"the customers named lie in partition {held}")
    default = OFFSET_BEGINNING if from_beginning else OFFSET_END
    return {partition: OFFSET_BEGINNING if partition in positions else default for partition in partitions}
