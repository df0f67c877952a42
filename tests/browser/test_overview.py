"""The overview and the head of the page: leaders, batches, layers, the search, and an API that does not answer."""

import pytest
from playwright.sync_api import expect

from common.algebra.pointer import Pointer
from common.errors import StoreUnavailable
from tests.support.browser import Visit
from tests.support.page_story import PageStory, ada, others
from tests.support.serving_fakes import progress


@pytest.fixture(autouse=True)
def told(story: PageStory) -> None:
    others(story)
    ada(story)


def test_leaders_are_the_last_batchs_and_say_so(visit: Visit) -> None:
    page = visit.open()

    leaders = page.locator("#leaders")
    expect(leaders).to_contain_text("From batch 1, as of 2024-06-30. What came after the batch is not in this list.")
    rows = leaders.locator("tbody tr")
    assert rows.first.locator("th, td").all_inner_texts() == ["customer-00", "1,200.00", "GB", "gift"]
    page.locator("#leaders select").select_option("tickets_30d")
    expect(rows.first).to_contain_text("customer-02")


def test_customers_at_risk_are_listed_with_their_tickets(visit: Visit) -> None:
    page = visit.open()

    rows = page.locator("#risky tbody tr")
    expect(rows).to_have_count(1)
    assert rows.first.locator("th, td").all_inner_texts() == ["customer-02", "3", "GB", "gift"]


def test_leaders_of_a_segment_and_a_country(visit: Visit) -> None:
    page = visit.open()
    page.get_by_label("or country").fill("de")
    page.get_by_label("or country").press("Enter")

    expect(page.locator("#leaders tbody tr").first).to_contain_text("customer-01")
    page.get_by_label("of segment").fill("nobody's")
    page.get_by_label("of segment").press("Enter")
    expect(page.locator("#leaders .empty")).to_have_text("Nobody is ranked by this choice.")


def test_a_batch_has_its_checks(visit: Visit) -> None:
    page = visit.open()

    page.get_by_text("Checks of batch 1").click()

    batches = page.locator("#batches")
    for text in ("answers stand on it", "13 customers", "quality 98.5 of 100", "2 of 200 orders have an amount of zero",
                 "no difference", "archive 2.5 s"):  # fmt: skip
        expect(batches).to_contain_text(text)


def test_r22_the_head_tells_at_once_when_answers_are_degraded(story: PageStory, visit: Visit) -> None:
    page = visit.open()
    expect(page.locator("#status .pill")).to_have_text("exact")

    for partition in story.store.progress_rows:
        story.store.progress_rows[partition] = progress(beat_at=0)

    expect(page.locator("#status .pill")).to_have_text("degraded")
    expect(page.locator("#status")).to_contain_text("the speed layer has never sent a heartbeat")


def test_the_layers_show_how_far_they_are_behind(story: PageStory, visit: Visit) -> None:
    story.store.progress_rows[2] = progress(next_offset=90, end_offset=95)

    page = visit.open()

    layers = page.locator("#layers")
    expect(layers).to_contain_text("Batch 1 was published 60 min ago")
    assert layers.locator("tbody tr").nth(2).locator("td").all_inner_texts()[:2] == ["90", "5"]


def test_a_prefix_finds_customers_and_the_keyboard_chooses_one(visit: Visit) -> None:
    page = visit.open()
    search = page.get_by_role("combobox", name="Find a customer")

    search.press_sequentially("customer-0")
    expect(page.locator("#options").get_by_role("option")).to_have_count(8)
    search.press("ArrowDown")
    search.press("ArrowDown")
    expect(page.locator("#options").get_by_role("option", selected=True)).to_contain_text("customer-01")
    search.press("Enter")

    expect(page.locator("h1")).to_have_text("Customer customer-01")
    expect(page.locator("h1")).to_be_focused()


def test_an_id_is_found_in_full_and_a_prefix_of_nobody_says_so(visit: Visit) -> None:
    page = visit.open()
    search = page.get_by_role("combobox", name="Find a customer")

    search.press_sequentially("zzz")
    expect(page.locator("#find .note")).to_contain_text("ranks no customer whose id begins with zzz")
    search.press("Escape")
    search.fill("ada")
    search.press("Enter")

    expect(page.locator("h1")).to_have_text("Customer ada")


def test_without_a_batch_the_overview_is_empty_in_plain_words(story: PageStory, visit: Visit) -> None:
    story.store.pointer = Pointer()
    story.store.manifests.clear()

    page = visit.open()

    expect(page.locator("#leaders")).to_contain_text("There is no ranking yet")
    expect(page.locator("#batches")).to_contain_text("No batch has run yet.")
    expect(page.locator("#layers")).to_contain_text("answers stand on the speed layer alone")


def test_what_was_read_stays_while_the_api_does_not_answer(visit: Visit) -> None:
    page = visit.open()
    expect(page.locator("#batches")).to_contain_text("answers stand on it")
    expect(page.locator("#layers")).to_contain_text("Batch 1 was published")

    page.context.set_offline(True)
    expect(page.get_by_role("alert").first).to_contain_text("What is shown was read before.")
    page.locator("#leaders select").select_option("order_count")

    expect(page.locator("#leaders tbody tr")).to_have_count(13)
    expect(page.locator("#batches")).to_contain_text("answers stand on it")
    expect(page.locator("#layers")).to_contain_text("Batch 1 was published")


def test_an_api_that_does_not_answer_is_told_and_so_is_its_return(visit: Visit) -> None:
    page = visit.customer("ada")

    page.context.set_offline(True)
    expect(page.get_by_role("alert").first).to_contain_text("The API does not answer.")
    expect(page.locator("[data-metric=total_revenue] .value")).to_have_text("930.89")
    page.context.set_offline(False)

    expect(page.locator("#notice")).to_be_hidden()


def test_a_store_that_does_not_answer_is_told_with_its_reason(story: PageStory, visit: Visit) -> None:
    def away(_: str) -> None:
        raise StoreUnavailable("Cassandra does not answer")

    story.store.on_read = away

    page = visit.open("#/customers/ada")

    expect(page.locator("#view > div > .problem")).to_contain_text("Cassandra does not answer")
    expect(page.locator("#status")).to_contain_text("Cassandra does not answer")
