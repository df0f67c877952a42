"""Finding a customer's id: as a word of its own, in every spelling, and in records that validation rejects (R24)."""

import pytest

from common.log.mention import mentions, record_names, without


@pytest.mark.parametrize(
    ("text", "customer_id"),
    [
        (b"customer=ada status=200", "ada"),
        (b"path=/v1/customers/ada/metrics", "ada"),
        (b"path=/v1/customers/b%C3%A9a%20x", "b\u00e9a x"),
        (b'{"subject":"b\\u00e9a"}', "b\u00e9a"),
        ('{"subject":"b\u00e9a"}'.encode(), "b\u00e9a"),
        (b'"say \\"hi\\""', 'say "hi"'),
        (b"/v1/customers/7?as_of=2024-01-01", "7"),
        (b'{"customer_id": "7"}', "7"),
        (b"customer 12345 was", "12345"),
    ],
)
def test_an_id_is_found(text: bytes, customer_id: str) -> None:
    assert mentions(text, customer_id)


@pytest.mark.parametrize(
    ("text", "customer_id"),
    [
        (b"adam and nada", "ada"),
        (b"records=7 partition 7", "7"),
        (b"/v1/customers/77", "7"),
        (b"offset=123456", "12345"),
        ("b\u00e9ada".encode(), "ada"),
    ],
)
def test_a_part_of_another_word_is_none(text: bytes, customer_id: str) -> None:
    assert not mentions(text, customer_id)


def test_mentions_are_taken_out_of_a_text() -> None:
    assert without("accepted 'ada' and 'adam', not ada", "ada", "(erased)") == (
        "accepted '(erased)' and 'adam', not (erased)"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"ada", b"no json"),
        (b"bob", b'{"subject": "ada"}'),
        (b"bob", b'{"data": {"customer_id": "\\u0061da"}}'),
        (None, b'{"data": {"customer_id": "ada"'),
        (b"ada", None),
    ],
)
def test_r24_a_rejected_record_is_the_customers_by_key_subject_data_or_broken_text(
    key: bytes | None, value: bytes | None
) -> None:
    assert record_names("ada", key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"bob", b'{"subject": "bob", "data": {"category": "ada"}}'), (b"adam", b"no json"), (None, None)],
)
def test_a_record_of_another_customer_is_not(key: bytes | None, value: bytes | None) -> None:
    assert not record_names("ada", key, value)
