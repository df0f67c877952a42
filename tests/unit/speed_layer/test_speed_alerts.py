"""Alerts: when a record raises one, with which evidence, and that a replay raises the same (R10, R14)."""

import asyncio
from random import Random
from typing import get_args

import pytest

from common.algebra.alerts import (
    Alert,
    CustomerAtRisk,
    LargeRefund,
    TicketEvidence,
    decode_alert,
    encode_alert,
    rule_of,
)
from common.algebra.dates import day_of
from common.algebra.facts import Outcome
from speed_layer.apply.alerts import EVIDENCE_TICKETS, RULES
from speed_layer.apply.cache import FactCache
from speed_layer.apply.decide import Applied
from speed_layer.apply.known import Known
from speed_layer.apply.rows import Change, Placed
from tests.support.builders import AS_OF, Log, Message, erasure, order, random_messages, refund, ticket
from tests.support.speed_fakes import MemoryFactStore, apply_one, fold, placed

DAY = day_of(AS_OF)


def applied(*messages: Message, store: MemoryFactStore | None = None, batch: int = 100) -> list[Change]:
    """What Ada's records write, in micro-batches of that size, each by a worker that remembers nothing."""
    log = Log()
    log.append(*messages)
    records, written = placed(log.records)["ada"], list[Change]()
    for start in range(0, len(records), batch):
        done = work(store or MemoryFactStore(), records[start : start + batch])
        written += [row for row in done.written if isinstance(row, Change)]
    return written


def work(store: MemoryFactStore, records: list[Placed]) -> Applied:
    return asyncio.run(apply_one(store, FactCache(9), "ada", records))


def raised(*messages: Message) -> list[list[str]]:
    """The rules that each record's alerts are of."""
    return [[rule_of(alert) for alert in change.alerts] for change in applied(*messages)]


def test_the_third_ticket_in_thirty_days_raises_customer_at_risk_with_its_evidence() -> None:
    changes = applied(
        ticket("ada", "t1", "2024-06-01"), ticket("ada", "t2", "2024-06-20", "low"), ticket("ada", "t3", "2024-07-01")
    )
    assert [len(change.alerts) for change in changes] == [0, 0, 1]
    (alert,) = changes[2].alerts
    evidence = (("t3", DAY + 1, "normal"), ("t2", DAY - 10, "low"), ("t1", DAY - 29, "normal"))
    assert alert == CustomerAtRisk(
        occurred_at=(DAY + 1) * 86_400_000_000,
        entity_id="t3",
        action="proactive_outreach",
        reason="3 tickets in 30 days, 0 high priority",
        tickets_30d=3,
        high_priority_tickets_30d=0,
        tickets=tuple(TicketEvidence(*each) for each in evidence),
    )


@pytest.mark.parametrize("priority", ["high", "urgent"])
def test_the_second_ticket_of_high_priority_raises_it(priority: str) -> None:
    assert raised(ticket("ada", "t1", priority=priority), ticket("ada", "t2", priority="high")) == [
        [],
        ["customer_at_risk"],
    ]


def test_the_window_ends_on_the_new_tickets_own_day_and_includes_both_ends() -> None:
    """A late ticket is judged as of its day: tickets after it do not count."""
    first, second = ticket("ada", "t1", "2024-06-01"), ticket("ada", "t2", "2024-06-10")
    assert raised(first, second, ticket("ada", "t3", "2024-07-01"))[2] == ["customer_at_risk"]
    assert raised(first, second, ticket("ada", "t3", "2024-07-02"))[2] == []
    assert raised(first, second, ticket("ada", "t3", "2024-06-09"))[2] == []


def test_only_a_new_ticket_raises_it() -> None:
    """A correction, a repeat or a stale version of a ticket is none."""
    three = [ticket("ada", f"t{n}") for n in range(3)]
    corrected = ticket("ada", "t0", priority="urgent", updated_at="2024-06-09")
    assert raised(*three, corrected, three[1]) == [[], [], ["customer_at_risk"], []]


def test_a_correction_that_moves_a_ticket_out_of_the_window_counts() -> None:
    moved = ticket("ada", "t0", created_date="2023-01-01", updated_at="2024-06-09")
    assert raised(ticket("ada", "t0"), ticket("ada", "t1"), moved, ticket("ada", "t2"))[3] == []


def test_the_evidence_is_bounded_and_the_counts_are_not() -> None:
    changes = applied(*(ticket("ada", f"t{n:02}") for n in range(EVIDENCE_TICKETS + 5)))
    (alert,) = changes[-1].alerts
    assert isinstance(alert, CustomerAtRisk)
    assert (len(alert.tickets), alert.tickets_30d) == (EVIDENCE_TICKETS, EVIDENCE_TICKETS + 5)


def test_a_refund_at_the_threshold_raises_large_refund_and_a_smaller_one_does_not() -> None:
    changes = applied(refund("ada", "r1", amount="49.99"), refund("ada", "r2", amount="50.00"))
    assert changes[0].alerts == ()
    at = day_of(AS_OF.replace(day=2)) * 86_400_000_000
    assert changes[1].alerts == (LargeRefund(at, "r2", "o1", 5_000, 5_000),)


def test_an_erasure_forgets_the_tickets_before_it() -> None:
    """R24."""
    three = [ticket("ada", f"t{n}") for n in range(3)]
    assert raised(*three[:2], erasure("ada"), *three) == [[], [], [], [], ["customer_at_risk"]]


def test_a_rewritten_record_writes_the_alerts_it_wrote_and_does_not_decide_anew() -> None:
    """R10: facts above the offset are stored by then, so a new decision would see what it must not."""
    log, store = Log(), MemoryFactStore()
    log.append(*(ticket("ada", f"t{n}") for n in range(3)))
    log.append(ticket("ada", "t0", created_date="2023-01-01", updated_at="2024-06-09"))
    records = placed(log.records)["ada"]
    work(store, records)
    before = store.live()
    assert ("alerts", "ada", "2", "customer_at_risk") in before
    again = work(store, records[2:3])
    assert again.outcomes[Outcome.REWRITTEN] == 1
    assert [rule_of(alert) for alert in again.written[0].alerts] == ["customer_at_risk"]
    assert store.live() == before


def test_a_torn_read_is_read_again_before_an_alert_is_decided() -> None:
    """R10: a read that saw a later write of another worker, and not the one before it, is no state of the log."""
    log, store = Log(), MemoryFactStore()
    log.append(*(ticket("ada", f"t{n}", priority="high") for n in range(3)))
    records = placed(log.records)["ada"]
    work(store, records)

    class Torn(MemoryFactStore):
        async def get(self, *args: object, **kwargs: object) -> Known:
            known = await super().get(*args, **kwargs)  # type: ignore[arg-type] # handed through
            if self.reads == 1:
                known.facts["support_ticket", "t1"] = None
            return known

    torn = Torn(cells=dict(store.cells))
    done = work(torn, records[1:])
    assert (torn.reads, done.outcomes) == (2, {Outcome.REWRITTEN: 2})
    assert torn.live() == store.live()


def test_what_was_read_beside_a_worker_that_is_ahead_is_not_remembered() -> None:
    """R10: a read may miss the ticket at 1 and see the correction at 3; the records that show it come later."""
    log, store = Log(partitions=1), MemoryFactStore()
    log.append(*(ticket("ada", f"t{n}", priority="high", created_date="2024-06-03") for n in range(3)))
    log.append(ticket("ada", "t0", "2023-01-01", "high", updated_at="2024-06-09"))
    records = placed(log.records, 1)["ada"]
    work(store, records)
    before = store.live()

    class Torn(MemoryFactStore):
        async def get(self, *args: object, **kwargs: object) -> Known:
            known = await super().get(*args, **kwargs)  # type: ignore[arg-type] # handed through
            if self.reads == 1:
                known.facts["support_ticket", "t1"] = known.facts["support_ticket", "t2"] = None
            return known

    torn, cache = Torn(cells=dict(store.cells)), FactCache(9)
    for record in records:
        asyncio.run(apply_one(torn, cache, "ada", [record]))
    assert torn.live() == before


@pytest.mark.parametrize("seed", range(20))
def test_any_log_raises_what_the_rules_in_plain_steps_raise_in_any_micro_batches(seed: int) -> None:
    random, log, store = Random(seed), Log(partitions=1), MemoryFactStore()
    log.append(*random_messages(seed, 150, customers=1, partitions=1))
    ((customer, records),) = placed(log.records, 1).items()
    left = records
    while left:
        size = random.randint(1, 30)
        asyncio.run(apply_one(store, FactCache(9), customer, left[:size]))
        left = left[size - random.randrange(size) :]  # some are met again
    assert store.live() == fold({customer: records})


def test_an_order_raises_nothing() -> None:
    assert raised(order("ada", total_amount="99999.00")) == [[]]


def test_every_rule_of_the_catalogue_has_its_type_and_every_type_its_rule() -> None:
    assert [rule.name for rule in RULES] == [each.__struct_config__.tag for each in get_args(Alert)]


def test_an_alert_is_read_back_as_it_was_written() -> None:
    alert = LargeRefund(1, "r1", "o1", 5_000, 5_000)
    assert encode_alert(alert) == (
        '{"rule":"large_refund","occurred_at":1,"entity_id":"r1","order_id":"o1","amount":5000,"threshold":5000}'
    )
    assert decode_alert(encode_alert(alert)) == alert
