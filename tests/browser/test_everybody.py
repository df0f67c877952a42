"""For everybody: by keyboard, on a phone, in the dark, without the internet, with a screen reader."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from common.settings import AccessSettings, Settings
from serving_layer.access.keys import new_key
from tests.support.browser import PHONE, WIDE, Scheme, Visit, visiting
from tests.support.http_api import answering
from tests.support.page_story import PageStory, ada, others
from tests.support.serving_fakes import NOW

FOCUSED = """() => {
  const found = document.activeElement;
  const name = found.id || found.closest("[data-key]")?.dataset.key || found.name || found.tagName;
  return [name, found === document.body || getComputedStyle(found).outlineStyle !== "none"];
}"""
LONG_OFFSETS = (
    """() => document.querySelectorAll("aside tbody td:nth-child(2)").forEach(e => e.textContent = "21,666,530")"""
)
CUT_OFF = "[...document.querySelectorAll('aside .scroll')].map(e => e.scrollWidth - e.clientWidth)"
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
        page.locator("table, #view > div > .problem:visible").first.wait_for()
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


def test_how_far_the_layers_are_is_not_cut_off_beside_the_page(chromium: Browser, url: str) -> None:
    """The demo's pictures showed it: five columns did not fit. Nor do those of a log of millions."""
    with visiting(chromium, url, viewport=WIDE) as visit:
        page = visit.open("#/")
        page.locator("aside tbody td").first.wait_for()
        page.evaluate(LONG_OFFSETS)

        assert page.evaluate(CUT_OFF) == [0]


def test_the_keyboard_reaches_everything_and_sees_where_it_is(visit: Visit) -> None:
    page = visit.customer("ada")
    page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    for _ in range(130):
        page.keyboard.press("Tab")
        name, is_marked = page.evaluate(FOCUSED)
        assert is_marked, f"no focus mark on {name}"
        seen.append(name)

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


def test_a_server_that_wants_a_key_is_given_one_and_a_wrong_one_is_asked_for_again(
    chromium: Browser, story: PageStory
) -> None:
    key = new_key("read")
    settings = Settings(access=AccessSettings(require_key=True, keys=key.line))
    with answering(story.store, NOW, settings=settings) as url, visiting(chromium, url) as visit:
        page = visit.open("#/customers/ada?as_of=2024-06-30")
        asked = page.get_by_role("textbox", name="API key")
        asked.fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#status")).to_contain_text("this API key is not known")
        asked.fill(key.key)
        page.get_by_role("button", name="Use it").click()

        expect(page.locator("[data-metric=total_revenue] .value")).to_have_text("930.89")
        expect(page.locator("#live .state")).to_have_text("live")
        assert page.evaluate("localStorage.length") == 0
        assert visit.faults == []
