"""Makes up profiles for some of the demo's customers, the same in every run: CDNOW holds purchases only."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from infra.local.demo.purchases import Purchase, write_csv

KNOWN_AT: Final = "1997-09-30T18:00:00Z"
CHANGED_AT: Final = "1998-06-25T09:00:00Z"
_PROFILE_EVERY: Final = 20
_CHANGED_EVERY: Final = 600
"""One in so many orders is corrected and refunded, and has a ticket, e-mails and a customer with a profile."""
_FIRST_BIRTH: Final = date(1930, 1, 1)
_FIRST_SIGN_UP: Final = date(1996, 1, 1)
_COUNTRIES: Final = ("US", "CA", "GB", "DE", "JP")
_SEGMENTS: Final = ("retail", "collector", "gift", "")


class Person(NamedTuple):
    """A made-up profile as a row of a CSV file. An empty text stands for a value that is not known."""

    customer_id: str
    signed_up_date: str
    birth_date: str
    country: str
    segment: str
    updated_at: str


def person(customer_id: str) -> Person:
    """Returns the profile that the demo makes up for a customer of CDNOW, whose id is a number."""
    number = int(customer_id)
    born = _FIRST_BIRTH + timedelta(days=number * 7_919 % 18_000)
    return Person(
        customer_id=customer_id,
        signed_up_date=(_FIRST_SIGN_UP + timedelta(days=number * 31 % 365)).isoformat(),
        birth_date="" if number % 7 == 0 else born.isoformat(),
        country=_COUNTRIES[number % len(_COUNTRIES)],
        segment=_SEGMENTS[number % len(_SEGMENTS)],
        updated_at=KNOWN_AT,
    )


def people(orders: Sequence[Purchase]) -> list[str]:
    """Returns the customers who have a profile: those of one in _PROFILE_EVERY orders."""
    return list(dict.fromkeys(order.customer_id for order in orders[::_PROFILE_EVERY]))


def leavers(orders: Sequence[Purchase]) -> list[str]:
    """Returns those of `people` whose profile is taken back in the third act."""
    return people(orders)[7::50]


def write_profiles(folder: Path, orders: Sequence[Purchase]) -> Path:
    """Writes the profiles of `people` as a CSV file."""
    return write_csv(folder / "profiles.csv", Person._fields, map(person, people(orders)))


def changed_profiles(orders: Sequence[Purchase]) -> Iterable[tuple[str, ...]]:
    """Yields rows of the third act, each with `retracted` last: profiles of another segment, and those taken back."""
    for customer_id in people(orders)[::10]:
        changed = person(customer_id)._replace(segment="loyal", updated_at=CHANGED_AT)
        yield (*changed, "")
    for customer_id in leavers(orders):
        taken_back = Person(
            customer_id=customer_id, signed_up_date="", birth_date="", country="", segment="", updated_at=CHANGED_AT
        )
        yield (*taken_back, "true")


def customer_to_show(orders: Sequence[Purchase]) -> str:
    """Returns the customer with a changed order, and a profile that is not taken back, who bought most often."""
    bought = Counter(order.customer_id for order in orders)
    left = set(leavers(orders))
    changed = [order.customer_id for order in orders[::_CHANGED_EVERY]]
    return max(changed, key=lambda customer: (customer not in left, bought[customer]))
