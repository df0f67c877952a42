"""The page of a customer: every figure has its definition, its reason and its place of origin (R22)."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visit
from tests.support.page_story import PageStory, ada, order
from tests.support.serving_fakes import progress


@pytest.fixture(autouse=True)
def told(story: PageStory) -> None:
    ada(story)


def tile(page: Page, metric: str) -> str:
    return page.locator(f"[data-metric={metric}] .value").inner_text()


def card(page: Page, title: str) -> str:
    return page.get_by_role("region", name=title, exact=True).first.inner_text()


def test_r22_an_exact_answer_says_so_and_shows_every_metric_with_its_definition(visit: Visit) -> None:
    page = visit.customer("ada")

    expect(page.locator(".heading .pill")).to_have_text("exact")
    assert tile(page, "total_revenue") == "930.89"
    assert tile(page, "last_order_date") == "2024-06-11"
    shown = {each.get_attribute("data-metric") for each in page.locator(".tile").all()}
    catalogue = page.request.get(f"{visit.url}/v1/metrics").json()["items"]
    elsewhere = {"at_risk", "risk_reason", "age_years", "tenure_days"}
    assert shown == {metric["name"] for metric in catalogue} - elsewhere


def test_r22_a_degraded_answer_says_so_with_each_reason(story: PageStory, visit: Visit) -> None:
    for partition in story.store.progress_rows:
        story.store.progress_rows[partition] = progress(beat_at=0)

    page = visit.customer("ada")

    expect(page.locator(".heading .pill")).to_have_text("degraded")
    expect(page.get_by_role("list", name="Why it is degraded").first).to_contain_text("the speed layer has never sent")


def test_who_it_is_names_the_profile_and_why_it_is_at_risk_ticket_by_ticket(visit: Visit) -> None:
    page = visit.customer("ada")
    who = page.locator("#who")

    for text in ("GB", "532 days", "34 years", "At risk", "3 tickets in 30 days, 2 high priority"):
        expect(who).to_contain_text(text)
    expect(who.locator(".evidence li")).to_have_count(3)
    expect(who.locator(".evidence")).to_contain_text("urgent priority, delivery, open")


def test_a_definition_shows_on_focus_and_on_hover_and_escape_dismisses_it(visit: Visit) -> None:
    page = visit.customer("ada")
    button = page.locator("[data-metric=estimated_clv]")
    definition = page.locator("#definition-estimated_clv")
    expect(definition).to_be_hidden()

    page.locator("[data-metric=avg_order_value]").focus()
    page.keyboard.press("Tab")

    expect(button).to_be_focused()
    expect(definition).to_be_visible()
    expect(definition).to_contain_text("revenue x customer_lifetime_days x 2 / 365")
    page.keyboard.press("Escape")
    expect(definition).to_be_hidden()
    page.locator("[data-metric=net_revenue]").hover()
    expect(page.locator("#definition-net_revenue")).to_be_visible()


def test_r9_batch_and_deltas_stand_side_by_side_with_their_sum(visit: Visit) -> None:
    page = visit.customer("ada")

    row = page.locator("#why .numbers tr", has_text="Revenue")
    assert row.locator("th, td").all_inner_texts() == ["Revenue", "1,061.88", "-130.99", "930.89"]
    why = page.locator("#why")
    expect(why).to_contain_text("Batch 1, published 2024-06-30 11:00:00 UTC, absorbed the records below offset 25")
    expect(why).to_contain_text("5 deltas came since and are added")


def test_every_delta_says_what_it_changed_and_where_it_came_from(visit: Visit) -> None:
    page = visit.customer("ada")
    deltas = page.locator("#why .deltas")

    expect(deltas).to_contain_text("order p6 changed")
    expect(deltas).to_contain_text("amount 45.00 → 50.00")
    expect(deltas).to_contain_text("Revenue +5.00 on 2024-06-11")
    expect(deltas).to_contain_text("changes.csv, row 3")
    expect(deltas).to_contain_text("order p2 taken back")


def test_a_tile_tells_what_the_batch_alone_had_and_opens_its_formula(visit: Visit) -> None:
    page = visit.customer("ada")

    expect(page.locator("[data-metric=total_revenue] .was")).to_have_text("1,061.88 in batch 1")
    page.locator("[data-metric=avg_resolution_hours]").click()

    expect(page.locator("#why .chosen")).to_have_text("Average resolution hours")
    expect(page.locator("#why")).to_be_focused()


def test_r8_the_chart_draws_the_cut_and_tells_the_share_of_the_deltas_by_keyboard(visit: Visit) -> None:
    page = visit.customer("ada")
    expect(page.locator(".cut text")).to_have_text("batch 1 published 2024-06-30")
    expect(page.locator(".bar.deltas").first).to_be_attached()
    expect(page.locator(".bar.taken").first).to_be_attached()

    page.get_by_label("Step of the chart").focus()

    readout = page.locator(".readout")
    expect(readout).to_have_text(
        "Month from 2024-06-01: revenue 50.00 (+5.00 by deltas), orders 1, tickets 3 (+1 by deltas)"
    )
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(
        "Month from 2024-02-01: revenue 0.00 (-45.00 by deltas), orders 0 (-1 by deltas), tickets 0"
    )


def test_the_chart_is_a_table_too(visit: Visit) -> None:
    page = visit.customer("ada")

    page.get_by_text("The same as a table").click()

    rows = page.locator("#course tbody tr")
    expect(rows).to_have_count(18)
    assert rows.last.locator("th, td").all_inner_texts() == ["2024-06-01", "50.00", "5.00", "1", "0", "3", "1"]


def test_r5b_the_timeline_says_what_was_corrected_and_what_was_taken_back(visit: Visit) -> None:
    page = visit.customer("ada")
    timeline = page.locator(".timeline")
    expect(timeline.locator("li")).to_have_count(13)
    page.get_by_role("button", name="Show older").click()

    expect(timeline.locator("li", has_text="order p6").locator(".corrected")).to_have_text("corrected")
    back = timeline.locator("li", has_text="order p2")
    expect(back).to_contain_text("taken back")
    expect(back).to_contain_text("It counts for nothing")
    expect(timeline.locator("li").first).to_contain_text("2024-06-29")


def test_the_timeline_shows_one_kind_when_it_is_chosen(visit: Visit) -> None:
    page = visit.customer("ada")

    page.get_by_label("Refunds").check()

    expect(page.locator(".timeline li")).to_have_count(1)
    expect(page.locator(".timeline")).to_contain_text("amount 25.00")
    expect(page.locator(".timeline")).to_contain_text("after batch 1")
    expect(page.locator(".timeline")).to_contain_text("arrived 2024-06-30 07:00:28 UTC")


def test_r6_a_day_in_the_past_says_that_it_is_told_with_todays_knowledge(visit: Visit) -> None:
    page = visit.customer("ada", "2023-12-31")

    expect(page.locator("#view .note").first).to_contain_text("Days after 2023-12-31 are left out")
    assert tile(page, "order_count") == "11"
    page.get_by_role("button", name="Today").click()
    expect(page.locator("[data-metric=order_count] .value")).to_have_text("16")


def test_an_unknown_customer_gets_a_plain_sentence(visit: Visit) -> None:
    page = visit.open("#/customers/nobody")

    expect(page.locator("#view > div > .problem")).to_contain_text("Nothing is known of a customer nobody.")
    expect(page.locator("#numbers")).to_be_hidden()


def test_a_day_that_the_api_refuses_is_told_in_its_words(visit: Visit) -> None:
    page = visit.open("#/customers/ada?as_of=2024-07-01")

    expect(page.locator("#view > div > .problem")).to_contain_text("not later than the server's day")


def test_without_a_batch_the_page_says_that_all_comes_from_deltas(story: PageStory, visit: Visit) -> None:
    story.record("new", "o1", order("2024-06-30", 1250), "2024-06-30")
    story.store.pointer = type(story.store.pointer)()

    page = visit.customer("new")

    expect(page.locator("#why")).to_contain_text("No batch has been published yet, so all of it comes from 1 delta.")
    expect(page.locator("#who")).to_contain_text("No profile of this customer is known.")
    expect(page.locator(".legend")).to_contain_text("there is no batch yet")
