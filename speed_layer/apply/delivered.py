"""Records on their way from the fetch to the worker, each with the link that proves where it lies."""

from collections.abc import Sequence
from typing import Any

import msgspec

from speed_layer.apply.lanes import Link


class Linked(msgspec.Struct, frozen=True):
    """A fetched record on its way from the consumer's thread."""

    record: Any
    link: Link


class Bundle(tuple[Linked, ...]):
    """Records of one partition that were fetched together: Faust carries them as one message.

    Most of what a message costs in Faust is the cost of delivering one, whatever is in it.
    """

    __slots__ = ()


class Delivered(msgspec.Struct, frozen=True):
    """A record as it came, with the link that proves where it lies."""

    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int
    link: Link
    headers: Sequence[tuple[str, bytes | None]] = ()
