"""Fixtures of the page's tests: one Chromium for all, and a visit of the API that must end without a fault."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import Browser, expect

from serving_layer.read.store import ViewStore
from tests.support import browser
from tests.support.browser import Visit, visiting
from tests.support.http_api import answering
from tests.support.page_story import PageStory
from tests.support.serving_fakes import NOW, MemoryViewStore

expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is marked `browser`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser. It ends with this folder's tests: while it runs, no other test can run a loop of asyncio."""
    with browser.chromium() as found:
        yield found


class Current:
    """Stands for the store of the test that runs: one API serves all tests, since each start of one takes its time."""

    def __init__(self) -> None:
        self.store = MemoryViewStore()

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


@pytest.fixture(scope="package")
def served() -> Iterator[tuple[Current, str]]:
    current = Current()
    with answering(cast(ViewStore, current), NOW) as url:
        yield current, url


@pytest.fixture
def story(served: tuple[Current, str]) -> PageStory:
    """What the API holds; a test may change it while the page is open."""
    story = PageStory()
    served[0].store = story.store
    return story


@pytest.fixture
def url(served: tuple[Current, str], story: PageStory) -> str:
    return served[1]


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Visit]:
    """A visit whose end fails the test if the page met an error, a violation of its policy, or another host."""
    with visiting(chromium, url) as found:
        yield found
        found.page.wait_for_timeout(0)  # what was said until now has arrived then
        assert found.faults == []
