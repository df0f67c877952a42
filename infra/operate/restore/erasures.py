"""The erasures that a restore applies again: those of the ledger that are not among its records (R25). Pure."""

from collections.abc import Sequence

from batch_layer.master.table import Head
from common.algebra.losses import Range
from common.log.position import Position
from infra.operate.erasure import ledger
from infra.operate.erasure.ledger import Entry


def not_restored(
    entries: Sequence[Entry], head: Head, tail: Sequence[Range], topic_id: str, own: Sequence[Entry]
) -> list[Entry]:
    """Returns the last erasure of each customer in the old log that is neither archived in `head` nor in `tail`.

    One whose position is not known counts as not restored. What `own`, the ledger of the new deployment, names as
    applied again to the log `topic_id` is left out.
    """
    later = [each for each in entries if each.topic_id == head.topic_id and not _is_restored(each, head, tail)]
    return ledger.to_apply_again(later, min(each.at for each in later), topic_id, own) if later else []


def _is_restored(entry: Entry, head: Head, tail: Sequence[Range]) -> bool:
    if entry.position is None:
        return False
    at = Position.parse(entry.position)
    is_archived = at.offset < head.offsets[at.partition] and not _is_in(at, head.losses)
    return is_archived or _is_in(at, tail)


def _is_in(at: Position, ranges: Sequence[Range]) -> bool:
    return any(each.holds(*at) for each in ranges)
