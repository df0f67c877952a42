"""A view's digest without some of its rows is that of the other rows: so an erasure lowers it (R17, R24)."""

from hypothesis import given
from hypothesis import strategies as st

from batch_layer.view.digest import of_row, total

ROWS = st.dictionaries(st.text(min_size=1), st.text(), max_size=20)


@given(ROWS, ROWS)
def test_what_is_taken_out_of_a_digest_is_as_if_it_had_never_been_in_it(
    kept: dict[str, str], gone: dict[str, str]
) -> None:
    rest = total(of_row(*row) for row in kept.items())
    going = total(of_row(*row) for row in gone.items())

    assert (rest + going) - going == rest
