"""Fixtures of the page's tests: one Chromium for all, and a visit of the API that must end without a fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support import browser
from tests.support.browser import Visit, visiting
from tests.support.http_api import answering
from tests.support.page_story import PageStory
from tests.support.serving_fakes import NOW


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is marked `browser`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as found:
        yield found


@pytest.fixture
def story() -> PageStory:
    """What the API holds; a test may change it while the page is open."""
    return PageStory()


@pytest.fixture
def url(story: PageStory) -> Iterator[str]:
    with answering(story.store, NOW) as found:
        yield found


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Visit]:
    """A visit whose end fails the test if the page met an error, a violation of its policy, or another host."""
    with visiting(chromium, url) as found:
        yield found
        found.page.wait_for_timeout(0)  # what was said until now has arrived then
        assert found.faults == []
