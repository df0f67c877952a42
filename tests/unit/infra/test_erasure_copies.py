"""Which messages, letters and texts of ours an erasure forgets (R24)."""

import base64
import json
from typing import Any

import pytest

from common.log.erasure import Erasure
from common.log.position import Position
from infra.operate.erasure.copies import is_forgotten_copy, is_forgotten_letter
from infra.operate.erasure.texts import scrubbed

AT = 1_719_800_000_000_000
ERASED = {"ada": Erasure("ada", Position(2, 17), AT)}


def copy(subject: str, partition: int, offset: int) -> bytes:
    return json.dumps({"subject": subject, "data": {"partition": partition, "offset": offset}}).encode()


@pytest.mark.parametrize(("offset", "goes"), [(16, True), (17, True), (18, False)])
def test_r24_copies_go_up_to_that_of_the_erasure_itself(offset: int, *, goes: bool) -> None:
    assert is_forgotten_copy(copy("ada", 2, offset), ERASED) is goes
    assert not is_forgotten_copy(copy("bob", 2, offset), ERASED)


def letter(key: str, value: str, partition: int, offset: int, appended_at: str, **said: Any) -> bytes:
    body = {"partition": partition, "offset": offset, "appended_at": appended_at, "value": "", "rule": ""} | said
    body |= {"key_base64": base64.b64encode(key.encode()).decode()}
    return json.dumps(body | {"value_base64": base64.b64encode(value.encode()).decode()}).encode()


@pytest.mark.parametrize(
    ("partition", "offset", "appended_at", "goes"),
    [
        (2, 16, "2030-01-01T00:00:00+00:00", True),
        (2, 18, "2020-01-01T00:00:00+00:00", False),
        (1, 99, "2020-01-01T00:00:00+00:00", True),
        (1, 0, "2030-01-01T00:00:00+00:00", False),
    ],
)
def test_r24_rejected_records_go_by_offset_in_the_customers_partition_and_by_time_in_others(
    partition: int, offset: int, appended_at: str, *, goes: bool
) -> None:
    assert is_forgotten_letter(letter("ada", "no json", partition, offset, appended_at), ERASED) is goes
    assert not is_forgotten_letter(letter("bob", "no json", partition, offset, appended_at), ERASED)


def test_a_letter_without_its_bytes_goes_by_what_it_says() -> None:
    said = {"rule": "key and data name one customer: data.customer_id is 'ada'"}
    assert is_forgotten_letter(letter("bob", "{}", 2, 3, "2020-01-01T00:00:00+00:00", **said), ERASED)


def test_r24_manifests_and_journal_lose_the_id_and_keep_the_rest() -> None:
    manifest = {
        "drift": {"ada": "late", "adam": "late"},
        "accepted": ["ada", "bob"],
        "reason": "for 'ada'",
        "who": "ada@host",
    }

    assert scrubbed(manifest, list(ERASED.values())) == {
        "drift": {"(erased at 2:17)": "late", "adam": "late"},
        "accepted": ["(erased at 2:17)", "bob"],
        "reason": "for '(erased at 2:17)'",
        "who": "ada@host",
    }
