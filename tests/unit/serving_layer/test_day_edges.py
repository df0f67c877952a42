"""The first and the last day of the calendar, and of what dates of facts may be, in every query parameter of a day."""

from itertools import product
from typing import Any, Final

import pytest

from tests.support.serving_fakes import MemoryViewStore, Shared, pointing_at, published

DAYS: Final = {"as_of", "from", "to", "day"}
EDGES: Final = ("0001-01-01", "0001-01-07", "1969-12-31", "1970-01-01", "2100-12-31", "9999-12-31")


def api() -> Shared:
    store = MemoryViewStore(pointing_at(published(cut=5)))
    store.put_order("ada", 1000)
    return Shared.over(store)


def days() -> list[tuple[str, list[str]]]:
    """Every path that is asked by GET with parameters of a day, and these; ids are filled in."""
    paths: dict[str, Any] = api().get("/openapi.json").json()["paths"]
    found = [
        (
            path.replace("{customer_id}", "ada"),
            [each["name"] for each in of["get"]["parameters"] if each["name"] in DAYS],
        )
        for path, of in paths.items()
        if "parameters" in of.get("get", {})
    ]
    return [(path, names) for path, names in found if names]


@pytest.mark.parametrize(("path", "names"), days())
def test_a_day_at_an_edge_is_answered_or_refused_by_its_name(path: str, names: list[str]) -> None:
    for choice in product((None, *EDGES), repeat=len(names)):
        query = "&".join(f"{name}={day}" for name, day in zip(names, choice, strict=True) if day is not None)
        answer = api().get(f"{path}?{query}")
        assert answer.status_code in {200, 422}, f"{query}: {answer.text}"
        if answer.status_code == 422:
            assert answer.json()["field"] in names


def test_the_parameters_of_days_are_found() -> None:
    assert {name for _, names in days() for name in names} == DAYS


@pytest.mark.parametrize("day", EDGES)
def test_a_day_at_an_edge_is_answered_or_refused_in_a_body(day: str) -> None:
    answer = api().request("POST", "/v1/customers/metrics:batch-get", json={"customer_ids": ["ada"], "as_of": day})
    assert answer.status_code in {200, 422}, answer.text
    if answer.status_code == 422:
        assert answer.json()["field"] == "as_of"
