"""What the laws range over: states, messages of every type, and whole logs with everything that can be in one."""

from datetime import date, timedelta
from typing import Final

from hypothesis import strategies as st

from common.algebra.measures import MEASURES
from common.algebra.state import State
from tests.support.builders import (
    AS_OF,
    EVENT_TYPES,
    ORDER_STATUSES,
    PRIORITIES,
    Log,
    Message,
    erasure,
    marketing,
    order,
    profile,
    refund,
    retraction,
    ticket,
)
from tests.support.odd_values import OLDER_IDS
from tests.support.poison import POISONS

CUSTOMERS: Final = ("ada", "zoë", "zoe\u0308 \"\\' \U0001f600")
"""Odd ids among them, one of them in NFC and one in NFD: validation accepts all."""
PARTITIONS: Final = 2

values = st.integers(-3, 3) | st.integers(-(10**18), 10**18)
states = st.dictionaries(st.integers(0, 5), st.tuples(*[values] * len(MEASURES)), max_size=4).map(State)


def _near(*offsets: int) -> st.SearchStrategy[date]:
    return st.sampled_from(offsets).map(lambda days: AS_OF + timedelta(days=days))


as_ofs = _near(-95, -60, -31, -30, -1, 0, 1, 3)
days = _near(-121, -120, -91, -90, -89, -61, -60, -32, -31, -30, -29, -2, -1, 0, 1, 2) | st.dates(
    date(1971, 1, 1), date(2099, 12, 31)
)
clocks = st.sampled_from(
    ("", "T00:00:00Z", "T23:59:59.999999999z", "t23:30:00-05:00", " 05:00:00+14:00", "T12:00:00.5+05:30")
)
moments = st.builds("{}{}".format, days, clocks)
versions = st.sampled_from(("2024-07-01", "2024-07-02T00:00:00Z", "2024-07-03T01:00:00+01:00", "2024-07-03"))
amounts = st.sampled_from(("0", "0.01", "0.1", "10", "10.05", "9999999999.99")) | st.decimals(
    0, 1000, allow_nan=False, places=2
).map("{:.2f}".format)
customers = st.sampled_from(CUSTOMERS)


def _entities(prefix: str, count: int) -> st.SearchStrategy[str]:
    return st.integers(1, count).map(lambda number: f"{prefix} №{number}" if number % 2 else f"{prefix}{number}")


orders = st.builds(
    order,
    customers,
    _entities("o", 2),
    moments,
    amounts,
    st.sampled_from(ORDER_STATUSES + ("cancelled",) * 3),
    versions,
)
refunds = st.builds(refund, customers, _entities("r", 2), moments, amounts)
open_tickets = st.builds(
    ticket, customers, _entities("t", 3), moments, st.sampled_from(PRIORITIES), updated_at=versions
)
resolved_tickets = st.builds(
    ticket,
    customers,
    _entities("t", 3),
    st.builds("{}{}".format, _near(-60, -31, -30, -2, -1), clocks),
    st.sampled_from(PRIORITIES),
    st.builds("{}{}".format, _near(-1, 0, 1), clocks),
    versions,
)
marketing_events = st.builds(
    marketing,
    customers,
    _entities("e", 3),
    moments,
    st.sampled_from(EVENT_TYPES),
    st.sampled_from(("summer", "☃ \u3000☃")),
)
profiles = st.builds(
    lambda customer, version, signed_up, more: profile(customer, version, signed_up, **more),
    customers,
    versions,
    st.none() | moments,
    st.fixed_dictionaries(
        {
            "birth_date": st.sampled_from((None, "1850-01-01", "1969-12-31", "1996-02-29", "2024-06-30", "2100-12-31")),
            "country": st.sampled_from((None, "GB")),
            "segment": st.sampled_from((None, "retail", "☃ ☃")),
        }
    ),
)
_id_characters = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/")
_unseen = st.sampled_from(("\u200b", "\u200c", "\u200d", "\u2028", "\u202e", "\xad", "\ufe0f", "\ufeff", "\U000e0041"))
_spaces = st.sampled_from((" ", "\xa0", "\u2003", "\u3000"))
_parts = st.text(_id_characters, max_size=63)
older_ids = st.one_of(
    st.sampled_from(OLDER_IDS),
    st.builds("{}{}".format, _parts, _spaces),
    st.builds("{}{}".format, _spaces, _parts),
    st.builds("{}{}{}".format, _parts, _unseen, _parts),
)
"""Ids of customers that validation 2 accepted and later ones do not, except in an erasure (R24)."""
erasures = st.builds(erasure, customers) | st.builds(erasure, customers | older_ids)
whole_entities = st.one_of(orders, refunds, open_tickets, resolved_tickets, marketing_events, profiles)
retractions = st.builds(retraction, whole_entities, versions)
entities = st.one_of(whole_entities, whole_entities, whole_entities, retractions)
valid_messages = st.one_of(orders, entities, entities, erasures)
poisons = st.sampled_from(POISONS)
poisoned = st.builds(
    lambda poison, message: Message(*poison.spoil(message[0], message[1], PARTITIONS)), poisons, entities
)

_REPEATS = st.integers(0, 100)
_GAPS = st.just("gap")
_STEPS = st.lists(st.one_of(valid_messages, entities, poisoned, _REPEATS, _GAPS), min_size=1, max_size=40)


def _log(steps: list[Message | int | str]) -> Log:
    """A number repeats an earlier message, a word leaves a gap."""
    log, said = Log(PARTITIONS), [order()]
    for step in steps:
        if isinstance(step, str):
            log.skip(0)
            log.skip(1, 2)
            continue
        message = said[step % len(said)] if isinstance(step, int) else step
        said.append(message)
        log.append(message)
    return log


logs = _STEPS.map(_log)
