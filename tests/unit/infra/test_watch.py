"""What `lambda360 watch` shows: which events, each once, what they changed, and which metrics moved (R9, R14, R21)."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TextIO

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END

from common.algebra.alerts import CustomerAtRisk, TicketEvidence
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.payloads import Order, SupportTicket
from common.errors import StoreUnavailable, UsageError
from common.log.copies import Copy, alert_event
from common.log.copy_events import AlertEvent, decode_alert_event
from common.log.partition import partition_of
from common.log.position import Position
from common.settings import Settings
from infra.cli import run
from infra.operate.watch.render import Pipe, Screen, as_json, lines
from infra.operate.watch.session import Begin, Show, Wish
from serving_layer.answer.readable import changes
from serving_layer.live.effects import Effect, Views
from serving_layer.live.follow import Seen, wanted
from serving_layer.live.positions import check_partitions, parse_positions, partitions_of, starts
from serving_layer.read.store import ViewStore
from tests.support.copy_events import event
from tests.support.serving_fakes import NOW, PARTITIONS, MemoryViewStore, delta, order, pointing_at, progress, published

DAY = 19_900
"""2024-06-26."""


def alert(customer: str = "ada") -> AlertEvent:
    evidence = (TicketEvidence("t1", DAY, "high"), TicketEvidence("t2", DAY, "urgent"))
    raised = CustomerAtRisk(DAY * MICROS_PER_DAY, "t1", "proactive_outreach", "2 tickets", 2, 2, evidence)
    return decode_alert_event(alert_event(Copy(Position(0, 5), customer, delta(order()), (raised,)), raised))


@pytest.fixture
def store() -> MemoryViewStore:
    return MemoryViewStore()


@pytest.fixture
def views(store: MemoryViewStore) -> Iterator[Views]:
    with closing(Views(lambda _: store, clock=lambda: NOW)) as found:
        yield found


def test_a_correction_moves_the_metrics_from_below_its_offset_to_with_it(store: MemoryViewStore, views: Views) -> None:
    """R9: the deltas above the event's own offset do not count."""
    correction = delta(order(2500), before=order(1000))
    store.put_delta("ada", 3, delta(order(1000)))
    store.put_delta("ada", 5, correction)
    store.put_delta("ada", 8, delta(order(99_999), entity_id="o2"))
    (effect,) = views.effects([event(correction)])
    assert effect.metrics is not None
    assert effect.metrics["total_revenue"] == ("10.00", "25.00")
    assert "order_count" not in effect.metrics


def test_the_batch_counts_below_the_event(store: MemoryViewStore, views: Views) -> None:
    """R21: the state below an offset is the batch's and the deltas up to it."""
    store.pointer = pointing_at(published(cut=4))
    store.put_order("ada", 1000)
    change = delta(order(500), entity_id="o2")
    store.put_delta("ada", 5, change)
    (effect,) = views.effects([event(change)])
    assert effect.metrics is not None
    assert (effect.metrics["total_revenue"], effect.metrics["order_count"]) == (("10.00", "15.00"), (1, 2))


def test_a_delta_that_a_batch_has_absorbed_has_no_metrics(store: MemoryViewStore, views: Views) -> None:
    """R8: below the cut nobody can tell the state before it."""
    store.pointer = pointing_at(published(batch_id=7, cut=6))
    (effect,) = views.effects([event(delta(order()))])
    assert effect == Effect(None, "batch 7 has absorbed it")


def test_a_delta_of_a_customer_erased_since_has_no_metrics(store: MemoryViewStore, views: Views) -> None:
    """R24: its row is gone."""
    store.put_delta("ada", 9, delta(None))
    (effect,) = views.effects([event(delta(order()))])
    assert effect.metrics is None
    assert "erased since" in (effect.note or "")


def test_expired_deltas_below_it_leave_no_metrics(store: MemoryViewStore, views: Views) -> None:
    """R22: a short sum never looks like a good one."""
    store.progress_rows = dict.fromkeys(range(PARTITIONS), progress(from_offset=4))
    store.put_delta("ada", 5, delta(order()))
    (effect,) = views.effects([event(delta(order()))])
    assert effect.metrics is None
    assert "are gone" in (effect.note or "")


def test_without_cassandra_the_events_go_on_and_it_is_left_alone_for_a_while(store: MemoryViewStore) -> None:
    """R14: what was published is shown all the same."""
    now, attempts = [100.0], list[float]()

    def connect(_: ExitStack) -> ViewStore:
        attempts.append(now[0])
        raise StoreUnavailable("Cassandra does not answer")

    with closing(Views(connect, clock=lambda: NOW, monotonic=lambda: now[0])) as views:
        first, second = views.effects([event(delta(order())), event(delta(order()), 6)])
        assert first == second
        assert "does not answer" in (first.note or "")
        views.effects([event(delta(order()), 7)])
        now[0] += 60
        views.effects([event(delta(order()), 8)])
    assert attempts == [100.0, 160.0]


def test_an_event_published_again_is_shown_once() -> None:
    """R14: a copy's id is its position in the log."""
    seen = Seen(2)
    assert [seen.is_new(id_) for id_ in ("0:1", "0:2", "0:1", "0:3", "0:2")] == [True, True, False, True, True]


def test_only_what_was_asked_for_is_shown() -> None:
    """A reset and an alert concern the customer, whatever the kind."""
    change, reset = event(delta(order())), event(delta(None))
    assert wanted(change, {"ada"}, {"order"})
    assert not wanted(change, {"eve"}, ())
    assert not wanted(change, (), {"refund"})
    assert wanted(reset, (), {"refund"})
    assert wanted(alert(), {"ada"}, {"order"})


def test_named_customers_are_followed_in_their_own_partitions() -> None:
    assert partitions_of(["ada"], 4) == [partition_of("ada", 4)]
    assert partitions_of([], 3) == [0, 1, 2]


def test_a_partition_with_a_position_is_read_from_its_beginning_and_another_one_as_asked() -> None:
    """A position in the log is not the offset of its copy."""
    positions = parse_positions(["1:20"])
    assert starts([0, 1], positions, from_beginning=False) == {0: OFFSET_END, 1: OFFSET_BEGINNING}
    assert starts([0, 1], {}, from_beginning=True) == {0: OFFSET_BEGINNING, 1: OFFSET_BEGINNING}


def test_a_position_in_a_partition_that_holds_none_of_the_customers_is_refused() -> None:
    with pytest.raises(UsageError, match="the customers named lie in partition 3"):
        starts([3], parse_positions(["0:5"]), from_beginning=False)


def test_from_a_position_on_nothing_below_it_is_shown() -> None:
    start, partition = Begin({}, {partition_of("ada", PARTITIONS): 17}), partition_of("ada", PARTITIONS)
    assert [start.holds(event(delta(order()), offset)) for offset in (16, 17, 18)] == [False, True, True]
    elsewhere = next(name for name in "abcdefgh" if partition_of(name, PARTITIONS) != partition)
    assert start.holds(event(delta(order()), 3, elsewhere))


@pytest.mark.parametrize("texts", [["7"], ["a:1"], ["-1:0"], ["0:1", "0:2"], ["0:1:2"]])
def test_a_position_that_is_none_is_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="--from"):
        parse_positions(texts)


def test_a_position_in_a_partition_that_the_topic_does_not_have_is_refused() -> None:
    check_partitions({3: 0}, 4)
    with pytest.raises(UsageError, match="--from: '4:0': the topic's partitions are 0 to 3"):
        check_partitions({3: 0, 4: 0}, 4)


def test_a_change_names_its_fields_before_and_after() -> None:
    correction = delta(order(2500), before=order(1000))
    assert changes(correction.before, correction.after) == {"amount": ("10.00", "25.00")}


def test_a_new_entity_shows_every_field_in_the_units_that_people_read() -> None:
    ticket = SupportTicket("delivery", "high", DAY * MICROS_PER_DAY + 3_600_000_000, None, None)
    found = changes(None, delta(ticket).after)
    assert found["created_date"] == (None, "2024-06-26T01:00:00Z")
    assert found["resolved_date"] == (None, None)
    assert changes(None, delta(Order(DAY * MICROS_PER_DAY, 5, "completed")).after)["order_date"] == (None, "2024-06-26")


def test_a_line_says_who_what_and_the_metrics_that_moved() -> None:
    shown = event(delta(order(2500), before=order(1000)))
    text = "\n".join(line.plain for line in lines(shown, Effect({"total_revenue": ("10.00", "25.00")})))
    assert "ada  order o1 changed  at " in text
    assert "amount: 10.00 → 25.00" in text
    assert "total_revenue 10.00 → 25.00" in text
    assert "revenue +15.00 on" not in text


def test_without_metrics_the_measures_values_are_shown_and_why() -> None:
    shown = event(delta(order(2500), before=order(3000)))
    text = "\n".join(line.plain for line in lines(shown, Effect(None, "batch 7 has absorbed it")))
    assert "revenue -5.00 on 2024-06-26" in text
    assert "(batch 7 has absorbed it)" in text


def test_markup_in_an_id_is_shown_as_it_is() -> None:
    (head, *_) = lines(event(delta(order()), customer="[red]x[/red]"), None)
    assert "[red]x[/red]" in head.plain


def test_an_event_is_one_json_object() -> None:
    shown = event(delta(order(2500), before=order(1000)))
    body = json.loads(as_json(shown, Effect({"total_revenue": ("10.00", "25.00")})))
    assert body["changes"] == {"amount": ["10.00", "25.00"]}
    assert body["metrics"] == {"total_revenue": ["10.00", "25.00"]}
    assert body["values"] == [{"day": "2024-06-26", "measure": "revenue", "amount": "15.00"}]
    assert (body["id"], body["kind"], body["entity_id"], body["note"]) == (shown.id, "order", "o1", None)


def test_an_alert_carries_its_evidence() -> None:
    body = json.loads(as_json(alert(), None))
    assert (body["rule"], body["type"]) == ("customer_at_risk", "customer.alert")
    assert body["tickets"][0] == {"ticket_id": "t1", "day": "2024-06-26", "priority": "high"}
    text = "\n".join(line.plain for line in lines(alert(), None))
    assert text.startswith("2024-06-26T00:00:00.000  ada  ALERT customer_at_risk")
    assert "t1 (2024-06-26, high), t2 (2024-06-26, urgent)" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "orders"], "--kind: 'orders': one of order, refund"),
        (["--from", "0:1", "--from-beginning"], "either --from or --from-beginning"),
        (["--from", "x"], "--from: 'x': PARTITION:OFFSET"),
        (["ada", "\udcff"], r"CUSTOMER: '\udcff': an id in UTF-8"),
    ],
)
def test_a_wrong_option_is_one_clear_line_and_nothing_is_connected_to(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.operate.watch.session.watch", lambda *_: pytest.fail("it began to watch"))
    assert run(["watch", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.fixture
def unread() -> Iterator[TextIO]:
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as file:
        yield file
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)


@pytest.mark.parametrize("json_lines", [False, True], ids=["text", "json"])
def test_a_screen_without_a_reader_says_so(unread: TextIO, json_lines: bool) -> None:
    screen = Screen(Pipe(file=unread), json_lines=json_lines)
    with pytest.raises(BrokenPipeError):
        screen.show(event(delta(order())), None)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_reader_that_is_gone_is_a_normal_end(
    unread: TextIO, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`lambda360 watch | head -1`, with --json and without."""

    def watch(settings: Settings, wish: Wish, views: Views, show: Show, tell: Callable[[str], None]) -> None:
        show(event(delta(order())), None)
        pytest.fail("nobody was missed")

    monkeypatch.setattr("infra.operate.watch.session.watch", watch)
    monkeypatch.setattr(sys, "stdout", unread)
    assert run(["watch", *options]) == 0
    unread.flush()
    assert capfd.readouterr().err == ""
