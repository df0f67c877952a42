"""R3: JSON with lone surrogates is read twice; the two readings tell what was sent, and where."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import RejectedRecord
from common.log import surrogates
from common.log.decoding import decode
from tests.support.builders import order

_PIECES = ("a", "\ud83d", "\ude00", "\udbff", "\\", "ud83d", "ude00", '"', "\n", "é", "\ue03d", "\ue83d")
halves = st.lists(st.sampled_from(_PIECES), max_size=8).map("".join)
"""Texts with lone surrogates, the characters that stand in for them, and escapes that look like one."""


@given(halves)
def test_two_readings_are_text_and_give_back_what_was_sent(text: str) -> None:
    """A text in JSON, with any escapes: pairs side by side are one character, halves stay halves."""
    spelled = json.dumps(text)
    sent = json.loads(spelled)

    found = surrogates.readings(spelled)

    if found is None:
        assert msgspec.json.decode(spelled) == sent
    else:
        first, second = (msgspec.json.decode(each) for each in found)
        assert surrogates.restored(first, second) == sent
        assert len(found[0]) == len(found[1]) == len(spelled)
        assert surrogates.difference({"a": first}, {"a": second}) == (("a",), sent)


@given(halves)
def test_a_text_is_accepted_if_and_only_if_utf_8_can_hold_it(text: str) -> None:
    value = json.dumps({**json.loads(order().value or b""), "source": f"a{text}"}).encode()
    sent = json.loads(value)["source"]

    if not re.search("[\ud800-\udfff]", sent):
        assert decode(value).source == sent
    else:
        with pytest.raises(RejectedRecord) as rejected:
            decode(value)
        assert (rejected.value.field, rejected.value.value) == ("source", sent)
        assert rejected.value.rule == surrogates.RULE
