"""What the code makes of the corpus, as text without any wording: one line a record."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from common.algebra import facts, measures
from common.algebra.facts import Delta, Fact, Image
from common.algebra.payloads import kind_of
from common.algebra.state import State
from common.errors import RejectedRecord
from common.log import events
from common.log.normalizing import Rules
from tests.golden.histories import Entry
from tests.golden.records import Raw

_IMAGE = msgspec.json.Decoder(Image)


def validated(corpus: Iterable[Raw], rules: Rules) -> Iterator[str]:
    """The event of each record, or the field for which it is rejected; the words of the rule are left out."""
    for raw in corpus:
        try:
            yield canonical(events.parse(*raw, rules))
        except RejectedRecord as error:
            yield f"rejected: {error.field}"


def reckoned(corpus: Iterable[Entry]) -> Iterator[str]:
    """What each entry changes, and its value; at the end, each customer's state."""
    current: dict[str, dict[tuple[str, str], Fact]] = {}
    for entry in corpus:
        known = current.setdefault(entry.customer_id, {})
        if entry.image is None:
            known.clear()
            yield "erased"
        else:
            yield _decided(known, entry, _IMAGE.decode(entry.image))
    for customer_id, known in sorted(current.items()):
        state = State.sum(measures.contribution(fact.after.payload) for fact in known.values())
        yield f"{customer_id}: {state.to_json()}"


def _decided(known: dict[tuple[str, str], Fact], entry: Entry, image: Image) -> str:
    entity = (kind_of(image.payload), entry.entity_id)
    _, fact = facts.decide(known.get(entity), image, entry.offset)
    if fact is None:
        return "no change"
    known[entity] = fact
    delta = Delta(kind=entity[0], entity_id=entry.entity_id, before=fact.before, after=fact.after, appended_at=0)
    return f"{canonical(fact)} {measures.value(delta).to_json()}"


def canonical(value: object) -> str:
    """`value` as JSON with sorted names. Null, false and empty fields are left out: a new default changes nothing."""
    return json.dumps(_filled(msgspec.to_builtins(value)), sort_keys=True)


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each) for name, each in value.items() if not _is_empty(each)}
    return value


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ([], ())
