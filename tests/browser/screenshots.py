"""Pictures of the dashboard, wide and phone, light and dark: of a running API, or of the tests' story in memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from playwright.sync_api import Browser, ViewportSize

from common.settings import load_settings
from tests.support import browser
from tests.support.browser import PHONE, WIDE, Scheme, visiting
from tests.support.http_api import answering
from tests.support.page_story import AS_OF, PageStory, ada, others
from tests.support.serving_fakes import NOW

SIZES: Final[dict[str, ViewportSize]] = {"wide": WIDE, "phone": PHONE}
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")


@click.command()
@click.option("--url", help="The address of a running API; without it, the story of the tests is served.")
@click.option("--customer", default="ada", show_default=True, help="Whom the pictures of a customer show.")
@click.option("--as-of", default=AS_OF.isoformat(), show_default=True, help="The day as of which it is shown.")
def main(url: str | None, customer: str, as_of: str) -> None:
    """Write the pictures into the folder `screenshots` of the home (LAMBDA360_HOME)."""
    folder = load_settings(os.environ).home / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    places = {"overview": f"#/?as_of={as_of}", "customer": f"#/customers/{customer}?as_of={as_of}"}
    with _served(url) as address, browser.chromium() as chromium:
        for name, place in places.items():
            for path in _pictures(chromium, address, name, place, folder):
                click.echo(path)


def _pictures(chromium: Browser, url: str, name: str, place: str, folder: Path) -> Iterator[Path]:
    for size, viewport in SIZES.items():
        for scheme in SCHEMES:
            with visiting(chromium, url, viewport=viewport, scheme=scheme) as visit:
                page = visit.open(place)
                page.locator(
                    ".drawing svg" if name == "customer" else "#leaders table, #leaders .empty"
                ).first.wait_for()
                page.locator(".timeline li" if name == "customer" else "#batches .body > *").first.wait_for()
                path = folder / f"{name}-{size}-{scheme}.png"
                page.screenshot(path=path, full_page=True)
                yield path


@contextmanager
def _served(url: str | None) -> Iterator[str]:
    """Yields `url`, or that of an API over the story of the tests."""
    if url is not None:
        yield url.rstrip("/")
        return
    story = PageStory()
    others(story)
    ada(story)
    with answering(story.store, NOW, story.topic) as found:
        yield found


if __name__ == "__main__":
    main()
