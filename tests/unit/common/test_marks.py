"""R18: the mark of accepted drift, which lies among its customer's deltas."""

import msgspec
import pytest

from common.algebra.facts import Delta, decode_delta, encode
from common.algebra.marks import MARK_OFFSET, Mark, decode_mark, encode_mark, timestamp_of

MARK = Mark(accepted_drift=7, classes=("missing delta",))


def test_a_mark_is_read_back_as_it_was() -> None:
    assert decode_mark(encode_mark(MARK)) == MARK


def test_a_mark_is_never_decoded_as_a_delta_nor_a_delta_as_a_mark() -> None:
    """An older release, which decodes the row as a delta, refuses it; so its answer is degraded (R22)."""
    with pytest.raises(msgspec.DecodeError):
        decode_delta(encode_mark(MARK))
    with pytest.raises(msgspec.DecodeError):
        decode_mark(encode(Delta.reset(0)))


def test_the_offset_is_above_every_records() -> None:
    """Kafka's offsets are below the greatest bigint."""
    assert MARK_OFFSET == 2**63 - 1


@pytest.mark.parametrize(("reset", "is_deleted"), [(9, False), (10, True), (11, True)])
def test_r24_a_reset_at_or_above_the_cut_deletes_the_mark_and_one_below_it_does_not(
    reset: int, is_deleted: bool
) -> None:
    """A reset at offset o deletes with the timestamp o - 1, and on a tie a delete wins."""
    assert (reset - 1 >= timestamp_of(cut=10)) is is_deleted


def test_the_cut_zero_has_a_timestamp_too() -> None:
    assert timestamp_of(0) == 0
