"""The sections for validation: every kind, every rule, every poison, by name."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final

from tests.golden import by_field, by_form
from tests.golden.records import PARTITIONS, TYPES, Raw, keyed, own_partition, plain, raw
from tests.golden.valid import valid
from tests.support.poison import POISONS, Poison

Section = Callable[[Random], Iterator[Raw]]


def _partitions(_: Random) -> Iterator[Raw]:
    """Many customers in their own partitions, and in the next one."""
    for number in range(60):
        record = plain("refund.recorded", f"customer-{number}")
        for partitions in (1, 3, 8, 12, 97):
            sent = raw(record, partitions=partitions)
            yield sent
            yield sent._replace(partition=(sent.partition + 1) % partitions)


def _resolved(_: Random) -> Iterator[Raw]:
    """Tickets resolved just before, at and after their creation; by day where one of the two is a plain date."""
    days = ("2024-05-31", "2024-06-01", "2024-06-02")
    times = ("00:00:00Z", "10:00:00Z", "10:00:00.000001Z", "10:00:00.999999Z", "23:59:59.999999Z", "00:00:00+14:00")
    moments = (*days, *(f"{day}T{time}" for day in days for time in times))
    for created in moments:
        for resolved in moments:
            record = plain("support_ticket.recorded")
            record["data"] |= {"created_date": created, "resolved_date": resolved}
            yield raw(record)


def _poisoned(poison: Poison, _: Random) -> Iterator[Raw]:
    for type_ in TYPES:
        sent = keyed(b"ada", json.dumps(plain(type_)).encode())
        for partitions in (1, PARTITIONS):
            key, value, partition = poison.spoil(sent.key, sent.value, partitions)
            yield Raw(key, value, own_partition(key, partitions) if partition is None else partition, partitions)


_OF_A_TYPE: Final[dict[str, Callable[[str, Random], Iterator[Raw]]]] = {
    "valid": valid,
    "missing": by_field.missing,
    "wrong types": by_field.wrong_types,
    "dates": by_field.dates,
    "texts": by_field.texts,
    "words": by_field.words,
    "further fields": by_field.further,
    "future": by_field.future,
    "taken back": by_field.taken_back,
    "places": by_field.places,
    "characters": by_field.characters,
    "media types": by_field.media_types,
    "older ids": by_field.older_ids,
    "names": by_form.names,
    "types": by_form.types,
    "bytes": by_form.bytes_,
    "nesting": by_form.nesting,
    "surrogates": by_form.surrogates,
    "formats": by_form.formats,
}
VALIDATION: Final[dict[str, Section]] = {
    **{f"{name}: {type_}": partial(each, type_) for name, each in _OF_A_TYPE.items() for type_ in TYPES},
    "money: order.recorded": partial(by_field.money, "order.recorded"),
    "money: refund.recorded": partial(by_field.money, "refund.recorded"),
    "zeros: order.recorded": partial(by_field.zeros, "order.recorded"),
    "zeros: refund.recorded": partial(by_field.zeros, "refund.recorded"),
    "people: customer_profile.recorded": partial(by_field.people, "customer_profile.recorded"),
    **{
        f"labels: {type_}": partial(by_field.labels, type_)
        for type_ in ("support_ticket.recorded", "marketing_event.recorded", "customer_profile.recorded")
    },
    "partitions": _partitions,
    "resolved: support_ticket.recorded": _resolved,
    **{f"poison: {poison.name}": partial(_poisoned, poison) for poison in POISONS},
}
