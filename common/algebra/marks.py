"""The mark of a customer whose drift an operator accepted (R18). Pure: knows no store.

It is a row among the customer's deltas, so whoever reads those has the mark, too. Its offset is above every record's.
"""

from typing import Final

import msgspec

MARK_OFFSET: Final = 2**63 - 1
"""The offset of a mark's row: the greatest bigint, which no record reaches."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Says that the speed layer's facts and a batch disagreed about the customer, and that the batch was published.

    The batch's answers for the customer are degraded until the speed tables are rebuilt: a new generation has no marks.
    """

    accepted_drift: int
    """The batch whose audit found the drift. Deltas have no such field, so neither is decoded as the other."""
    classes: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The reason in an answer's provenance (R22)."""
        return (
            f"accepted drift: the audit of batch {self.accepted_drift} found {' and '.join(self.classes)}; the speed "
            "tables must be rebuilt"
        )


def timestamp_of(cut: int) -> int:
    """Returns the write timestamp of a mark, from the new batch's cut in the customer's partition (R11).

    It is the last offset below the cut. The reset of an erasure at or above the cut deletes the mark (on a tie a delete
    wins), and that of one below it, which the batch absorbed, does not.
    """
    return max(cut - 1, 0)


def encode_mark(mark: Mark) -> str:
    """Returns the cell that holds `mark`: compact JSON."""
    return msgspec.json.encode(mark).decode()


def decode_mark(text: str) -> Mark:
    """Inverse of `encode_mark`. Raises msgspec.DecodeError for a cell that this release does not know."""
    return _MARK.decode(text)


_MARK: Final = msgspec.json.Decoder(Mark)
