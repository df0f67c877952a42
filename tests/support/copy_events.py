"""The messages of copies in one short call, for tests."""

from common.algebra.facts import Delta
from common.log.copies import Copy, delta_event
from common.log.copy_events import DeltaEvent, decode_delta_event
from common.log.partition import partition_of
from common.log.position import Position
from tests.support.serving_fakes import PARTITIONS


def event(change: Delta, offset: int = 5, customer: str = "ada") -> DeltaEvent:
    """The message of a change's copy."""
    position = Position(partition_of(customer, PARTITIONS), offset)
    return decode_delta_event(delta_event(Copy(position, customer, change), "v"))
