"""Examples of answers in the OpenAPI document, made by the same code as the answers: so they cannot grow old."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

import msgspec

from common.algebra.cut import Cut
from common.algebra.dates import micros_of
from common.algebra.facts import Delta, Fact, Image, Origin, encode
from common.algebra.measures import contribution
from common.algebra.merge import Parts, add_up
from common.algebra.payloads import Order
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.profile import CustomerProfile
from common.algebra.view_row import ViewRow
from common.log.partition import partition_of
from common.log.position import Position
from common.progress import Progress
from common.settings import ServingSettings, Settings
from serving_layer.answer.answers import Answer, answer_of, parts_of
from serving_layer.answer.explained import FORMULAS, batch_part, listed, measure_sums
from serving_layer.answer.facts import Found, item
from serving_layer.answer.provenance import Release, batch_info, condition
from serving_layer.answer.standing import standing
from serving_layer.answer.steps import series
from serving_layer.read.reading import Reading
from serving_layer.read.store import Pin, SlotRow
from serving_layer.schemas.alerts import AlertItem, Alerts
from serving_layer.schemas.answers import BatchGetResults, CustomerMetrics, Entry, EntryError, FailedEntry
from serving_layer.schemas.batches import BatchRun, BatchRuns, GateSummary, RolledBack, RuleVerdict, StepSeconds
from serving_layer.schemas.explanation import Explanation
from serving_layer.schemas.facts import Facts
from serving_layer.schemas.listed import Listed, ListedCustomer

DAY: Final = date(2026, 11, 23)
_NOW: Final = micros_of(datetime(2026, 11, 23, 12, tzinfo=UTC))
_CUSTOMER: Final = "00001"
_PARTITIONS: Final = 4
_CUT: Final = 120
_LATE_SECONDS: Final = 125
_SETTINGS: Final = Settings()
_TEXT: Final = "x-json"


def shown(**examples: object) -> dict[int | str, dict[str, Any]]:
    """Returns the documentation of a route's 200 with these examples, by their names.

    Each value is text until `with_nulls` puts it in its place.
    """
    named = {name: {"value": {_TEXT: msgspec.json.encode(example).decode()}} for name, example in examples.items()}
    return {200: {"content": {"application/json": {"examples": named}}}}


def with_nulls(response: Mapping[str, Any]) -> None:
    """Puts the values of a documented response's examples in their places. Idempotent."""
    # FastAPI leaves every null out of its document, also those of an example, where they are members of an answer.
    for content in response.get("content", {}).values():
        for example in content.get("examples", {}).values():
            if _TEXT in example["value"]:
                example["value"] = msgspec.json.decode(example["value"][_TEXT])


def metrics() -> Mapping[str, object]:
    """An exact and a degraded answer."""
    return {
        name: CustomerMetrics(_CUSTOMER, DAY, each.metrics, each.profile, each.provenance)
        for name, each in (("exact", _answer()[0]), ("degraded", _answer(late=True)[0]))
    }


def batch_get() -> Mapping[str, object]:
    """A known customer, and an id that no customer can have."""
    each = _answer()[0]
    known = Entry(_CUSTOMER, "ok", each.metrics, each.profile, each.provenance)
    error = EntryError("customer_id", "", "1 to 128 characters")
    failed = FailedEntry("", "error", metrics=None, profile=None, provenance=None, error=error)
    return {"exact": BatchGetResults(DAY, [known, failed])}


def explanation() -> Mapping[str, object]:
    """An answer of a batch and one delta."""
    return {name: _explained(*_answer(late=late)) for name, late in (("exact", False), ("degraded", True))}


def history() -> Mapping[str, object]:
    """Two weeks."""
    answer, parts = _answer()
    steps = series(add_up(parts).state, date(2026, 11, 10), DAY, "week")
    head = {"customer_id": _CUSTOMER, "from": date(2026, 11, 10), "to": DAY, "grain": "week"}
    return {"exact": {**head, "series": steps, "provenance": answer.provenance}}


def facts() -> Mapping[str, object]:
    """An order that was corrected."""
    at = Position(partition_of(_CUSTOMER, _PARTITIONS), _CUT + 5)
    delta = _delta()
    assert delta.after is not None  # noqa: S101 # for the type checker: it is no erasure
    found = Found("order", "o17", Fact(at.offset, delta.before, delta.after))
    items = [item(found, at, delta.origin)]
    return {"exact": Facts(_CUSTOMER, "newest_first", items, None, _answer()[0].provenance)}


def alerts() -> Mapping[str, object]:
    """An alert of each rule."""
    risk: dict[str, object] = {
        "entity_id": "t3",
        "reason": "3 tickets in 30 days, 1 high priority",
        "tickets_30d": 3,
        "high_priority_tickets_30d": 1,
        "tickets": [{"ticket_id": "t3", "day": "2026-11-22", "priority": "high"}],
    }
    refund: dict[str, object] = {"entity_id": "r1", "order_id": "o17", "amount": "999.00", "threshold": "500.00"}
    return {
        "alerts": Alerts(
            [
                _alert(131, "customer_at_risk", risk, "proactive_outreach"),
                _alert(127, "large_refund", refund, None),
            ],
            None,
        )
    }  # fmt: skip


def customers() -> Mapping[str, object]:
    """The first of a ranking."""
    info = batch_info(_published())
    assert info is not None  # noqa: S101 # for the type checker: there is a batch
    first = ListedCustomer(_CUSTOMER, "1250.00", "GB", "wholesale", at_risk=False)
    return {"ranking": Listed("total_revenue", [first], None, complete=False, batch=info, as_of=DAY)}


def batches() -> Mapping[str, object]:
    """The newest run."""
    return {"runs": BatchRuns([_run()])}


def batch() -> Mapping[str, object]:
    """One run."""
    return {"current": _run()}


def rollback() -> Mapping[str, object]:
    """What a rollback changed."""
    info = batch_info(_published())
    assert info is not None  # noqa: S101 # for the type checker: there is a batch
    return {"changed": RolledBack(changed=True, left=42, current=info)}


def status() -> Mapping[str, object]:
    """Both layers, well and late."""
    pin = Pin(Pointer(41, 41, (_published(),)), _PARTITIONS)
    limits, release = ServingSettings(), Release.of(_SETTINGS)
    return {
        name: standing(
            pin,
            {each: _progress(each, late=late) for each in range(_PARTITIONS)},
            release=release,
            limits=limits,
            now=_NOW,
        )
        for name, late in (("exact", False), ("degraded", True))
    }


def _alert(offset: int, rule: str, evidence: dict[str, object], action: str | None) -> AlertItem:
    at = Position(1, offset)
    return AlertItem(
        id=f"{at}:{rule}",
        rule=rule,
        customer_id=_CUSTOMER,
        at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
        position=str(at),
        evidence=evidence,
        recommended_action=action,
    )


def _explained(answer: Answer, parts: Parts) -> Explanation:
    return Explanation(
        customer_id=_CUSTOMER,
        as_of=DAY,
        batch=batch_part(parts, answer.provenance.batch, DAY),
        deltas=listed(parts, answer.provenance.log.partition),
        deltas_left_out=0,
        measures=measure_sums(parts, DAY),
        metrics=answer.metrics,
        profile=answer.profile,
        formulas=FORMULAS,
        provenance=answer.provenance,
    )


@cache
def _answer(*, late: bool = False) -> tuple[Answer, Parts]:
    """A customer of a batch's row and one delta, by the code that answers."""
    partition = partition_of(_CUSTOMER, _PARTITIONS)
    published = _published()
    row = ViewRow(contribution(_order(124_000, 12)), Image(1, CustomerProfile(None, None, "GB", "wholesale")))
    reading = Reading(
        pin=Pin(Pointer(41, 41, (published,)), _PARTITIONS),
        rows={_CUSTOMER: SlotRow(41, row.to_json())},
        progress={partition: _progress(partition, late=late)},
        deltas={_CUSTOMER: [(_CUT + 5, encode(_delta()))]},
        marks={},
    )
    layers = condition(
        partition,
        published,
        reading.progress[partition],
        release=Release.of(_SETTINGS),
        limits=ServingSettings(),
        now=_NOW,
    )
    batch = batch_info(published)
    answer = answer_of(_CUSTOMER, DAY, reading, conditions={partition: layers}, batch=batch)
    parts = parts_of(_CUSTOMER, reading)
    assert parts is not None  # noqa: S101 # for the type checker: its cells are of this release
    return answer, parts


def _order(cents: int, day: int) -> Order:
    return Order(micros_of(datetime(2026, 11, day, tzinfo=UTC)), cents, "completed")


def _delta() -> Delta:
    return Delta(
        kind="order",
        entity_id="o17",
        before=Image(1, _order(900, 20)),
        after=Image(2, _order(1900, 20)),
        appended_at=_NOW - 60_000_000,
        origin=Origin("file:///data/orders.csv", 17),
    )


def _published() -> Published:
    release = Release.of(_SETTINGS)
    cut = Cut.of(dict.fromkeys(range(_PARTITIONS), _CUT))
    plan = Plan(7, cut, release.logic_version, release.validation_version)
    return Published(41, "a", plan, micros_of(datetime(2026, 11, 23, 3, tzinfo=UTC)), 5_000, "checksum")


def _progress(partition: int, *, late: bool) -> Progress:
    at = _NOW - (_LATE_SECONDS * 1_000_000 if late else 0)
    version = Release.of(_SETTINGS).validation_version
    return Progress(partition, 0, _CUT + 20, _CUT + 20, version, beat_at=at, caught_up_at=at)


def _run() -> BatchRun:
    gate = GateSummary(
        records=1_200,
        score=99.2,
        quarantined=4,
        rules=[RuleVerdict("order_in_the_future", "order", "passed", "0 of 1,200 orders")],
        changes=[],
    )
    return BatchRun(
        id=41,
        status="published",
        current=True,
        kept=True,
        started_at=datetime(2026, 11, 23, 2, 58, tzinfo=UTC),
        published_at=datetime(2026, 11, 23, 3, tzinfo=UTC),
        rows=5_000,
        records=gate.records,
        cut=_published().plan.cut.offsets,
        steps=[StepSeconds("archive", 12.1), StepSeconds("load", 4.9)],
        gate=gate,
        audit=None,
        quality_score=gate.score,
    )
