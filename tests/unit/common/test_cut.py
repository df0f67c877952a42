"""R8: the cut as a value."""

import msgspec

from common.algebra.cut import Cut


def test_a_partition_that_is_not_named_is_cut_at_zero() -> None:
    assert Cut.of({1: 5})[0] == 0
    assert Cut.of({1: 5})[1] == 5
    assert Cut.zero()[7] == 0


def test_a_cut_covers_what_is_at_or_below_it_in_every_partition() -> None:
    cut = Cut.of({0: 3, 1: 5})
    assert cut.covers(cut)
    assert cut.covers(Cut.of({1: 5}))
    assert cut.covers(Cut.zero())
    assert not cut.covers(Cut.of({0: 4}))
    assert not cut.covers(Cut.of({2: 1}))


def test_equal_cuts_have_one_text_and_one_hash_in_whatever_order_they_were_made() -> None:
    one, other = Cut.of({0: 3, 10: 1, 2: 5}), Cut.of({2: 5, 10: 1, 0: 3})
    assert one == other
    assert hash(one) == hash(other)
    assert msgspec.json.encode(one) == msgspec.json.encode(other) == b'{"offsets":{"0":3,"2":5,"10":1}}'
    assert msgspec.json.decode(msgspec.json.encode(one), type=Cut) == one
