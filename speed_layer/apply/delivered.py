"""Records on their way from the fetch to the worker, each with the link that proves where it lies."""

from collections.abc import Sequence
from typing import Any

import msgspec

from speed_layer.apply.lanes import Link


class Linked(msgspec.Struct, frozen=True):
    """A fetched record on its way from the consumer's thread."""

    record: Any
    link: Link


class Bundle(msgspec.Struct, frozen=True):
    """Records of one partition that were fetched together, at least one: Faust carries them as one message.

    Most of what a message costs in Faust is the cost of delivering one, whatever is in it.
    """

    records: tuple[Linked, ...]
    is_last: bool = True
    """Whether no other partition's records, fetched together with these, come after them."""


class Delivered(msgspec.Struct, frozen=True):
    """A record as it came, with the link that proves where it lies."""

    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int
    link: Link
    headers: Sequence[tuple[str, bytes | None]] = ()
