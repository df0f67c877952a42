"""The live ticker: it shows what the stream brings, resumes where it was, and tells what is missing."""

import json
from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from common.log.copies import Copy, delta_event
from common.log.partition import partition_of
from common.log.position import Position
from tests.support.browser import Visit, visiting
from tests.support.http_api import answering
from tests.support.page_story import Change, PageStory, ada, order, others
from tests.support.serving_fakes import NOW, PARTITIONS, RELEASE


@pytest.fixture(autouse=True)
def told(story: PageStory) -> None:
    others(story, 3)
    ada(story)


def sent(change: Change) -> str:
    """The change as the stream sends it."""
    position = Position(partition_of(change.customer, PARTITIONS), change.offset)
    body = delta_event(Copy(position, change.customer, change.delta), RELEASE.logic_version).decode()
    name = "reset" if change.delta.is_reset else "delta"
    return f"event: {name}\nid: {position}\ndata: {body}\n\n"


def streaming(page: Page, path: str, parts: Sequence[str]) -> list[str | None]:
    """Answers each request for the stream with the next part, then ends it; returns the ids that were asked for."""
    asked: list[str | None] = []
    waiting = list(parts)

    def answer(route: Route) -> None:
        asked.append(route.request.headers.get("last-event-id"))
        if waiting:
            route.fulfill(status=200, content_type="text/event-stream", body=waiting.pop(0))
        else:
            route.fulfill(status=503, content_type="application/problem+json", body=json.dumps({"detail": "no room"}))

    page.route(path, answer)
    return asked


def test_a_change_is_told_with_what_it_adds_and_where_it_is_from(story: PageStory, visit: Visit) -> None:
    streaming(visit.page, "**/v1/deltas", [sent(story.changes[-5]) + sent(story.erase("customer-00"))])

    page = visit.open()

    ticker = page.locator(".ticker")
    expect(ticker).to_contain_text("order p6 changed of ada")
    expect(ticker).to_contain_text("amount 45.00 → 50.00")
    expect(ticker).to_contain_text("Revenue +5.00 on 2024-06-11")
    expect(ticker).to_contain_text("changes.csv, row 3")
    expect(ticker.locator("li").first).to_contain_text("erased of customer-00")


def test_a_stream_that_ends_is_asked_for_again_from_its_last_event_on(story: PageStory, visit: Visit) -> None:
    first, second = story.changes[-2], story.changes[-1]
    asked = streaming(visit.page, "**/v1/deltas", ["retry: 10\n\n" + sent(first), sent(second)])

    page = visit.open()
    expect(page.locator(".ticker li")).to_have_count(2)
    expect(page.locator("#live .state")).to_contain_text("no room")

    position = Position(partition_of("ada", PARTITIONS), first.offset)
    assert asked[:2] == [None, str(position)]


def test_a_gap_and_a_dropped_client_are_told_plainly(visit: Visit) -> None:
    gap = {"missing": [{"partition": 1, "first": 7, "last": 9}]}
    dropped = {"reason": "the client reads too slowly: 1000 events wait for it"}
    body = f"event: gap\nid: 1:9\ndata: {json.dumps(gap)}\n\nevent: dropped\ndata: {json.dumps(dropped)}\n\n"
    streaming(visit.page, "**/v1/deltas", [body])

    page = visit.open()

    expect(page.locator(".ticker .gap").nth(1)).to_contain_text("Some changes are missing here")
    expect(page.locator(".ticker .gap").nth(1)).to_contain_text("Partition 1: positions 7 to 9.")
    expect(page.locator(".ticker .gap").nth(0)).to_contain_text("the client reads too slowly")
    expect(page.locator(".ticker .gap").nth(0)).to_contain_text("The server ended the stream")


def test_heartbeats_are_not_shown_and_pause_closes_the_stream(visit: Visit) -> None:
    asked = streaming(visit.page, "**/v1/deltas", ["event: heartbeat\nid: 0:1\ndata: {}\n\n"])
    page = visit.open()
    expect(page.locator("#live .state")).to_contain_text("not connected")

    page.get_by_role("button", name="Pause").click()

    expect(page.locator("#live .state")).to_have_text("paused")
    expect(page.locator(".ticker .empty")).to_contain_text("Nothing has changed since this page follows.")
    count = len(asked)
    page.wait_for_timeout(2500)
    assert len(asked) == count


def test_a_change_of_the_customer_moves_the_figures_and_leaves_the_focus(story: PageStory, visit: Visit) -> None:
    page = visit.customer("ada")
    page.locator("[data-metric=total_revenue]").focus()
    change = story.record("ada", "p7", order("2024-06-30", 1111), "2024-06-30")
    streaming(page, "**/v1/customers/ada/deltas", [sent(change)])

    page.get_by_role("button", name="Pause").dispatch_event("click")
    page.get_by_role("button", name="Go on").dispatch_event("click")

    tile = page.locator("[data-metric=total_revenue]")
    expect(tile.locator(".value")).to_have_text("942.00")
    expect(tile.locator(".was").first).to_have_text("was 930.89")
    expect(tile).to_be_focused()
    expect(page.locator("#spoken")).to_contain_text("Total revenue is 942.00")


@pytest.fixture
def live(chromium: Browser, story: PageStory) -> Iterator[Visit]:
    """A visit of an API whose streams get what the story records from now on."""
    with answering(story.store, NOW, story.topic) as url, visiting(chromium, url) as found:
        yield found
        assert found.faults == []


def test_the_story_can_be_watched_while_it_is_told(story: PageStory, live: Visit) -> None:
    """Through the real stream: a delta is shown, and the figures follow it without another click."""
    page = live.customer("ada")
    expect(page.locator("#live .state")).to_have_text("live")

    story.record("ada", "p7", order("2024-06-30", 1111), "2024-06-30")
    expect(page.locator(".ticker li").first).to_contain_text("order p7 new")
    expect(page.locator("[data-metric=total_revenue] .value")).to_have_text("942.00")
    story.record("customer-00", "x", order("2024-06-30", 1), "2024-06-30")
    story.erase("ada")

    expect(page.locator("#view > div > .problem")).to_contain_text("Nothing is known of a customer ada.")
    expect(page.locator(".ticker li")).to_have_count(2)


def test_a_page_that_was_away_misses_nothing(story: PageStory, live: Visit) -> None:
    page = live.open()
    expect(page.locator("#live .state")).to_have_text("live")
    story.record("ada", "p7", order("2024-06-30", 1111), "2024-06-30")
    expect(page.locator(".ticker li")).to_have_count(1)

    page.get_by_role("button", name="Pause").click()
    for number in range(3):
        story.record("customer-00", f"x{number}", order("2024-06-30", 1), "2024-06-30")
    page.get_by_role("button", name="Go on").click()

    expect(page.locator(".ticker li")).to_have_count(4)
    expect(page.locator(".ticker li").first).to_contain_text("order x2 new of customer-00")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_events_are_read_the_same_wherever_the_stream_is_cut(visit: Visit, newline: str) -> None:
    text = (
        'event: delta\nid: 0:1\ndata: {"a":\ndata: 1}\n\n: a comment\nretry: 5\n\nevent: heartbeat\nid\ndata:x: y\n\n'
    )
    page = visit.open()

    found = page.evaluate(
        """async (text) => {
          const { Parser } = await import("/dashboard/assets/live.js");
          const results = new Set();
          for (let first = 0; first <= text.length; first++)
            for (let second = first; second <= text.length; second++) {
              const parser = new Parser();
              const parts = [text.slice(0, first), text.slice(first, second), text.slice(second)];
              results.add(JSON.stringify(parts.flatMap((part) => [...parser.push(part)])));
            }
          return [...results];
        }""",
        text.replace("\n", newline) + newline,
    )

    assert [json.loads(each) for each in found] == [
        [
            {"event": "delta", "id": "0:1", "data": '{"a":\n1}'},
            {"event": "message", "retry": 5},
            {"event": "heartbeat", "id": "", "data": "x: y"},
        ]
    ]
