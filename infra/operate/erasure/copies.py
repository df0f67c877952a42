"""Tells whether a message of our other topics is about a customer before the erasure. Pure (R24)."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common.algebra.dates import micros_of
from common.log.dead_letters import Letter
from common.log.erasure import Erasure
from common.log.mention import mentions, record_names
from common.log.position import Position

Erased = Mapping[str, Erasure]
"""The erasures by customer."""


def is_forgotten_copy(value: bytes, erased: Erased) -> bool:
    """Returns whether a copy of a delta or an alert goes: the copy of the erasure itself, which names the id, too."""
    found = _object(value)
    if found is None:
        return any(mentions(value, customer_id) for customer_id in erased)
    erasure = erased.get(str(found.get("subject")))
    data = found.get("data")
    if erasure is None or not isinstance(data, dict) or not isinstance(data.get("offset"), int):
        return False
    return data.get("partition") == erasure.position.partition and data["offset"] <= erasure.position.offset


def is_forgotten_letter(value: bytes, erased: Erased) -> bool:
    """Returns whether a message of the topic of rejected records goes."""
    found = _object(value)
    if found is None or not {"partition", "offset", "appended_at"} <= found.keys():
        return any(mentions(value, customer_id) for customer_id in erased)
    position = Position(found["partition"], found["offset"])
    at = _micros(found["appended_at"])
    key = _bytes(found.get("key_base64"))
    record = _bytes(found.get("value_base64"))
    said = json.dumps([found.get("value"), found.get("rule")]).encode()
    return any(
        erasure.forgets(position, at) and (record_names(customer_id, key, record) or mentions(said, customer_id))
        for customer_id, erasure in erased.items()
    )


def letter_names(letter: Letter, erased: Erased) -> bool:
    """Returns whether a row of `dead_letters` goes: its record, or what a rejection says of it, names the customer."""
    said = json.dumps([[each.value, each.rule] for each in letter.rejections.values()]).encode()
    return any(
        erasure.forgets(letter.address.position, letter.appended_at)
        and (record_names(customer_id, letter.key, letter.value) or mentions(said, customer_id))
        for customer_id, erasure in erased.items()
    )


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _micros(text: str) -> int:
    return micros_of(datetime.fromisoformat(text))
