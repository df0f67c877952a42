"""For everybody: by keyboard, on a phone, in the dark, without the internet, with a screen reader."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import PHONE, Scheme, Visit, visiting
from tests.support.page_story import PageStory, ada, others

PLACES = ("#/", "#/customers/ada?as_of=2024-06-30", "#/customers/nobody")


@pytest.fixture(autouse=True)
def told(story: PageStory) -> None:
    others(story)
    ada(story)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_no_fault_in_names_roles_and_contrast(
    chromium: Browser, url: str, place: str, scheme: Scheme
) -> None:
    with visiting(chromium, url, scheme=scheme) as visit:
        page = visit.open(place)
        page.locator("#view h1").wait_for()
        page.wait_for_load_state("networkidle") if place == PLACES[2] else page.locator("table").first.wait_for()
        for each in page.locator("details").all():
            each.locator("summary").click()

        found = Axe().run(page)

        told = [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found.response["violations"]]
        assert told == []


@pytest.mark.parametrize("place", PLACES)
def test_a_phones_width_is_enough(chromium: Browser, url: str, place: str) -> None:
    with visiting(chromium, url, viewport=PHONE) as visit:
        page = visit.open(place)
        page.locator("#view h1").wait_for()
        page.wait_for_timeout(500)

        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert visit.faults == []


def test_the_keyboard_reaches_everything_and_sees_where_it_is(visit: Visit) -> None:
    page = visit.customer("ada")
    page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    for _ in range(90):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(() => { const e = document.activeElement; return [e.id || e.dataset.key || e.name || e.tagName, "
            "e === document.body || getComputedStyle(e).outlineStyle !== 'none']; })()"
        )
        assert found[1], f"no focus mark on {found[0]}"
        seen.append(found[0])

    assert {"customer", "as-of", "tile-total_revenue", "scrubber", "chart-table", "kind"} - set(seen) == set()


def test_the_skip_link_leads_to_the_content_and_changes_nothing(visit: Visit) -> None:
    page = visit.customer("ada")
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("h1")).to_have_text("Customer ada")


def test_back_and_forward_lead_through_what_was_shown(visit: Visit) -> None:
    page = visit.open()
    page.locator("#leaders a").first.click()
    expect(page.locator("h1")).to_have_text("Customer customer-00")

    page.go_back()

    expect(page.locator("h1")).to_have_text("Overview")


def test_the_front_door_lists_the_routes_and_leads_to_the_dashboard(visit: Visit) -> None:
    page = visit.page
    page.goto(visit.url)

    expect(page.locator("#routes")).to_contain_text("GET /v1/customers/{customer_id}/explain")
    page.get_by_role("link", name="Dashboard").click()
    expect(page.locator("h1")).to_have_text("Overview")


def test_an_answer_that_wants_a_key_asks_for_it_and_sends_it(visit: Visit) -> None:
    page = visit.page
    sent: list[str | None] = []

    def guarded(route: Route) -> None:
        key = route.request.headers.get("x-api-key")
        sent.append(key)
        if key == "right":
            route.continue_()
        else:
            route.fulfill(status=401, body='{"detail": "this needs an API key"}')

    page.route("**/v1/**", guarded)
    visit.open("#/customers/ada?as_of=2024-06-30")
    page.get_by_role("textbox", name="API key").fill("right")
    page.get_by_role("button", name="Use it").click()

    expect(page.locator("[data-metric=total_revenue] .value")).to_have_text("930.89")
    assert "right" in sent
    assert page.evaluate("localStorage.length") == 0
