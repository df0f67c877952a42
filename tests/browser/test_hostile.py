"""Whatever a record says is shown as text: it becomes no element, and no script."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit
from tests.support.page_story import PageStory, ada, others

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>&lt;b&gt;"\''


@pytest.fixture(autouse=True)
def told(story: PageStory) -> None:
    ada(story, HOSTILE.replace("/", "\\"), HOSTILE)
    others(story, 3)


def test_a_customer_and_payloads_that_are_markup_stay_text(visit: Visit) -> None:
    from urllib.parse import quote

    customer = HOSTILE.replace("/", "\\")

    page = visit.customer(quote(customer, safe=""))

    expect(page.locator("h1 .id")).to_have_text(customer)
    expect(page.locator("#who")).to_contain_text(HOSTILE)
    expect(page.locator(".timeline")).to_contain_text(HOSTILE)
    expect(page.locator("#why .deltas")).to_contain_text(HOSTILE)
    assert page.locator("img, main script, aside script").count() == 0
    assert page.evaluate("window.hit") is None
