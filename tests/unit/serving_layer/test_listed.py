"""Lists of customers from the last batch's rankings: read through the pointer (R17, R20), past erasures (R24)."""

from decimal import Decimal

import msgspec
import pytest

from common.algebra.facts import Image
from common.algebra.measures import contribution
from common.algebra.payloads import SupportTicket
from common.algebra.pointer import Pointer, Published
from common.algebra.profile import CustomerProfile
from common.algebra.rankings import Entry, RankingKey, Scope
from common.algebra.state import State
from serving_layer.read.details import RankingRow
from tests.support.serving_fakes import NOW, MemoryViewStore, Shared, order, pointing_at, published

DAY = 86_400_000_000
SIZE = 3
"""Of a ranking, see `MemoryViewStore.rank`."""


def ticket(priority: str = "urgent") -> SupportTicket:
    return SupportTicket("billing", priority, NOW // DAY * DAY, None, None)


def ranked() -> MemoryViewStore:
    """Three customers of a batch of three: ada at risk and in GB, ben in FR, cleo without a profile."""
    batch = msgspec.structs.replace(published(batch_id=2, cut=10), rows=3)
    store = MemoryViewStore(pointing_at(batch))
    risk = contribution(order(3000)) + contribution(ticket()) + contribution(ticket())
    store.put_state("ada", risk, 2, profile=Image(1, CustomerProfile(None, None, "GB", "vip")))
    store.put_state("ben", contribution(order(2000)), 2, profile=Image(1, CustomerProfile(None, None, "FR", "vip")))
    store.put_state("cleo", contribution(order(1000)), 2)
    store.rank("total_revenue", {"cleo": "10.00", "ada": "30.00", "ben": "20.00"})
    store.rank("tickets_30d", {"ada": 2, "ben": 0, "cleo": 0})
    store.rank("total_revenue", {"ada": "30.00", "ben": "20.00"}, scope=Scope.SEGMENT, member="vip")
    store.rank("total_revenue", {"ben": "20.00"}, scope=Scope.COUNTRY, member="FR")
    return store


def listed(store: MemoryViewStore, query: str = "") -> dict:  # type: ignore[type-arg] # JSON
    found: dict = Shared.over(store).get(f"/v1/customers{query}").json()  # type: ignore[type-arg] # JSON
    return found


def ids(store: MemoryViewStore, query: str = "") -> list[str]:
    return [each["customer_id"] for each in listed(store, query)["items"]]


def test_a_ranking_is_from_its_top_and_names_its_batch_and_its_day() -> None:
    found = listed(ranked())

    assert found["items"] == [
        {"customer_id": "ada", "value": "30.00", "country": "GB", "segment": "vip", "at_risk": True},
        {"customer_id": "ben", "value": "20.00", "country": "FR", "segment": "vip", "at_risk": False},
        {"customer_id": "cleo", "value": "10.00", "country": None, "segment": None, "at_risk": False},
    ]
    assert (found["rank_by"], found["batch"]["id"], found["as_of"]) == ("total_revenue", 2, "2024-06-30")
    assert found["complete"] is True


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?segment=vip", ["ada", "ben"]),
        ("?country=FR", ["ben"]),
        ("?country=DE", []),
        ("?at_risk=true", ["ada"]),
        ("?at_risk=false", ["ada", "ben", "cleo"]),
        ("?prefix=b", ["ben"]),
        ("?prefix=cleo", ["cleo"]),
        ("?prefix=x", []),
        ("?prefix=b&country=GB", []),
        ("?rank_by=tickets_30d", ["ada", "ben", "cleo"]),
    ],
)
def test_lists_of_a_segment_a_country_those_at_risk_and_by_prefix(query: str, expected: list[str]) -> None:
    assert ids(ranked(), query) == expected


def test_a_prefix_finds_a_customer_of_exactly_this_id_who_is_in_no_ranking() -> None:
    store = ranked()
    store.put_order("dan", 1, batch_id=2)

    assert ids(store, "?prefix=dan") == ["dan"]
    assert ids(store, "?prefix=da") == [], "who is in no ranking is found by the whole id only"


def test_complete_is_said_only_where_it_is_proven() -> None:
    """A ranking may be shorter than its size because an erasure took a row out, so its length alone proves nothing."""
    store = ranked()
    store.pointer = pointing_at(msgspec.structs.replace(published(batch_id=2, cut=10), rows=9))

    assert listed(store)["complete"] is False
    assert listed(store, "?prefix=b")["complete"] is False
    assert listed(store, "?at_risk=true")["complete"] is True, "nobody is at risk with less than two tickets"
    store.rank("tickets_30d", {"ada": 2, "ben": 2, "cleo": 2})
    assert listed(store, "?at_risk=true")["complete"] is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?rank_by=age_years", "rank_by"),
        ("?rank_by=revenue", "rank_by"),
        ("?at_risk=true&rank_by=total_revenue", "rank_by"),
        ("?segment=vip&country=GB", "country"),
        ("?segment=", "segment"),
        ("?prefix=", "prefix"),
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?cursor=xyz", "cursor"),
        ("?sort=asc", "sort"),
    ],
)
def test_what_no_ranking_answers_is_refused_with_the_rule(query: str, field: str) -> None:
    found = listed(ranked(), query)
    assert (found["status"], found["field"]) == (422, field)


def test_pages_go_on_in_one_batch_and_a_cursor_of_another_batch_is_refused() -> None:
    store = ranked()
    first = listed(store, "?limit=2")
    cursor = first["next_cursor"]
    assert [each["customer_id"] for each in first["items"]] == ["ada", "ben"]
    last = listed(store, f"?limit=2&cursor={cursor}")
    assert ([each["customer_id"] for each in last["items"]], last["next_cursor"]) == (["cleo"], None)

    store.pointer = pointing_at(published(batch_id=3, cut=20, slot="b"))
    store.rank("total_revenue", {})
    assert listed(store, f"?limit=2&cursor={cursor}")["field"] == "cursor"


def test_r20_rows_of_another_batch_count_as_absent_and_a_newer_ones_make_it_read_again() -> None:
    store = ranked()
    key = "a", RankingKey("total_revenue")
    store.rankings[key].append(RankingRow(1, Entry("old", Decimal(99))))
    assert ids(store) == ["ada", "ben", "cleo"]

    store.rankings[key].append(RankingRow(3, Entry("new", Decimal(99))))
    assert listed(store)["status"] == 503


def test_r17_while_the_current_batch_has_no_rankings_those_of_the_batch_before_are_read() -> None:
    store = ranked()
    (before,) = store.pointer.complete
    after = Published(3, "b", before.plan, NOW, 3, "sum")
    store.pointer = Pointer(3, 3, (before, after))
    assert listed(store)["batch"]["id"] == 2

    store.pointer = Pointer(3, 1, (after,))
    store.ranked = {"b": store.ranked["a"]._replace(batch_id=3)}
    assert listed(store)["status"] == 404, "after a rollback, a newer batch's rankings are not read"


def test_r24_a_customer_who_was_erased_since_the_batch_is_left_out() -> None:
    store = ranked()
    store.put_reset("ada", 10)
    store.put_reset("ben", 9)

    assert ids(store) == ["ben", "cleo"], "an erasure below the cut is the batch's business"


def test_without_rankings_it_is_a_404_that_says_what_makes_them() -> None:
    found = listed(MemoryViewStore(pointing_at(published())))
    assert (found["status"], found["type"]) == (404, "urn:lambda360:problem:unknown-batch")


def test_a_row_without_measures_is_listed_too() -> None:
    store = ranked()
    store.put_state("cleo", State({}), 2)
    assert listed(store)["items"][2]["at_risk"] is False
