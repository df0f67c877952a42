"""Decodes the stored cells of both views.

A cell may have been written by another release, with other measures or fields. Its numbers then mean something
else, so they are never added up: the answer is degraded, gives the reason, and has no values (R22).
"""

from collections.abc import Sequence

import msgspec

from common.algebra.facts import Delta, decode_delta
from common.algebra.marks import decode_mark
from common.algebra.measures import MEASURES
from common.algebra.view_row import ViewRow, width_of
from common.errors import Lambda360Error
from serving_layer.read.store import DeltaRow, SlotRow


class UnreadableCell(Lambda360Error):
    """A stored cell that this release cannot read. Its text is a reason in the answer's provenance."""


def view_row(row: SlotRow | None) -> ViewRow | None:
    """Returns what a slot's row holds, or None without a row.

    Raises UnreadableCell if the cell cannot be decoded, or has another number of measures than this release.
    """
    if row is None:
        return None
    try:
        return ViewRow.from_json(row.state)
    except msgspec.DecodeError as error:
        raise UnreadableCell(f"the customer's row of batch {row.batch_id} {_fault(row.state)}") from error


def _fault(cell: str) -> str:
    try:
        return f"is of {width_of(cell)} measures, this release has {len(MEASURES)}"
    except msgspec.DecodeError as error:
        return f"cannot be read: {error}"


def is_reset(text: str) -> bool:
    """Returns whether a delta's cell is the marker of an erasure. A cell that cannot be read is not."""
    try:
        return decode_delta(text).is_reset
    except msgspec.DecodeError:
        return False


def mark_reason(text: str) -> str:
    """Returns why the answer of a customer with this mark is degraded (R18), also for another release's mark."""
    try:
        return decode_mark(text).reason
    except msgspec.DecodeError:
        return "accepted drift: the mark is another release's; the speed tables must be rebuilt"


def decoded(rows: Sequence[DeltaRow]) -> list[tuple[int, Delta]]:
    """Returns the deltas with their offsets. Raises UnreadableCell, with the offset, for the first unreadable one."""
    deltas = []
    for offset, text in rows:
        try:
            deltas.append((offset, decode_delta(text)))
        except msgspec.DecodeError as error:
            raise UnreadableCell(f"the delta at offset {offset} cannot be read: {error}") from error
    return deltas
