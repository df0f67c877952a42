"""The cells of both views as values, or the reason why this release cannot read them.

A cell may have been written by another release, with other measures or fields. Its numbers then mean something
else, so they are never added up: the answer is degraded, says why, and has no values (R22).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from common.algebra.facts import Delta, decode_delta
from common.algebra.measures import MEASURES
from common.algebra.view_row import ViewRow
from common.errors import Lambda360Error
from serving_layer.read.store import DeltaRow, SlotRow

_WIDTH: Final = len(MEASURES)


class UnreadableCell(Lambda360Error):
    """A stored cell that this release cannot read; its text is the reason that the answer gives."""


def view_row(row: SlotRow | None) -> ViewRow | None:
    """What a slot's row holds. Raises UnreadableCell, also where its state is one of other measures."""
    if row is None:
        return None
    try:
        found = ViewRow.from_json(row.state)
    except msgspec.DecodeError as error:
        raise UnreadableCell(f"the customer's row of batch {row.batch_id} cannot be read: {error}") from error
    widths = {len(values) for values in found.state.days.values()}
    if widths - {_WIDTH}:
        reason = f"the customer's row of batch {row.batch_id} is of {max(widths)} measures, this release has {_WIDTH}"
        raise UnreadableCell(reason)
    return found


def is_reset(text: str) -> bool:
    """Whether a delta's cell is the marker of an erasure; one that cannot be read is none."""
    try:
        return decode_delta(text).is_reset
    except msgspec.DecodeError:
        return False


def decoded(rows: Sequence[DeltaRow]) -> list[tuple[int, Delta]]:
    """The deltas in their cells. Raises UnreadableCell with the first one's offset that cannot be read."""
    deltas = []
    for offset, text in rows:
        try:
            deltas.append((offset, decode_delta(text)))
        except msgspec.DecodeError as error:
            raise UnreadableCell(f"the delta at offset {offset} cannot be read: {error}") from error
    return deltas
