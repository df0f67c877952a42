"""Why a range of the log that was lost degrades a customer's answer, and where it does not (R15). Pure."""

from collections.abc import Sequence

from common.algebra.losses import Range
from common.algebra.pointer import Loss
from serving_layer.answer.reasons import Reason
from serving_layer.read.cells import is_reset
from serving_layer.read.store import DeltaRow
from serving_layer.schemas.provenance import ReasonName


def loss_reasons(losses: Sequence[Loss], partition: int, rows: Sequence[DeltaRow]) -> list[Reason]:
    """Returns a reason for each loss of the partition that was not declared sent again.

    `rows` are the customer's deltas, resets at or above each loss included. A customer that was erased after the range
    lost nothing by it (R24).
    """
    waiting = [loss for loss in losses if loss.partition == partition and not loss.sent_again]
    if not waiting:
        return []
    reset = max((offset for offset, text in rows if is_reset(text)), default=-1)
    return [reason_of(Range.of(loss)) for loss in waiting if reset < loss.to_offset]


def reason_of(lost: Range) -> Reason:
    """Returns why a lost range degrades answers of its partition."""
    return Reason(
        ReasonName.LOST_RECORDS,
        f"records {lost.start} to {lost.end - 1} of partition {lost.partition} were lost, and are not yet declared as "
        f"sent again (`lambda360 speed declare-sent {lost}`)",
    )
