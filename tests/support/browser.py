"""A real headless Chromium, and pages in it that note whatever a user should never meet."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
WIDE: Final[ViewportSize] = {"width": 1366, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
Scheme = Literal["light", "dark"]
_REFUSED: Final = "Failed to load resource: "
"""How Chromium's console begins to tell of a status of 400 and more, or of a server that is gone."""


def program() -> str | None:
    """Returns the path of a Chromium: the one that CHROMIUM names, or one in PATH; None if there is none."""
    return os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yields a browser. Raises RuntimeError if no Chromium is installed."""
    path = program()
    if path is None:
        raise RuntimeError("no Chromium is installed: `infra/local/setup/browser.sh` installs one, or names it")
    # A container's root cannot make the sandbox, and its /dev/shm is small.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page of the API at `url`, and its `faults`: errors, violations of its policy, requests to other hosts."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """What the console says of requests that were refused or not answered; a test may expect them."""

    def open(self, place: str = "") -> Page:
        """Opens the dashboard at `place`, such as `#/customers/ada`, and returns the page."""
        self.page.goto(f"{self.url}/dashboard{place}")
        return self.page

    def customer(self, customer: str, as_of: str = "2024-06-30") -> Page:
        """Opens the dashboard with a customer, as soon as its numbers are shown."""
        page = self.open(f"#/customers/{customer}?as_of={as_of}")
        page.locator(".tile").first.wait_for()
        page.locator(".drawing svg").wait_for()
        return page

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            (self.refusals if message.text.startswith(_REFUSED) else self.faults).append(message.text)

    def requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.faults.append(f"asks another host: {request.url}")


@contextmanager
def visiting(browser: Browser, url: str, *, viewport: ViewportSize = WIDE, scheme: Scheme = "light") -> Iterator[Visit]:
    """Yields a visit in a fresh context of the browser, without cookies, storage or cache."""
    context: BrowserContext = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    try:
        visit = Visit(context.new_page(), url)
        visit.page.on("console", visit.heard)
        visit.page.on("pageerror", lambda error: visit.faults.append(str(error)))
        visit.page.on("request", visit.requested)
        yield visit
    finally:
        context.close()
