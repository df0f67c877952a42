"""The catalogue of alerts: which record may raise one, what it needs to know, and its condition.

A rule is a pure function of the record and of its customer's facts below it, so a replay raises the same alerts. A new
rule is one entry of `RULES`, its type in `common/algebra/alerts.py`, and its test.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from common.algebra.alerts import Alert, CustomerAtRisk, LargeRefund, TicketEvidence
from common.algebra.dates import MICROS_PER_DAY, date_of
from common.algebra.facts import Fact
from common.algebra.measures import contribution
from common.algebra.metrics import METRIC, WINDOW_DAYS
from common.algebra.payloads import Refund, SupportTicket
from common.algebra.state import State
from common.algebra.view import View

EVIDENCE_TICKETS: Final = 20


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The settings that the rules read. Amounts are cents."""

    large_refund_cents: int


@dataclass(frozen=True, slots=True)
class New:
    """A record of a new entity: its fact, and the current facts of its kind by entity id, including its own.

    `facts` is empty if no rule of the kind reads it.
    """

    entity_id: str
    fact: Fact
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for each new entity of `kind`. `needs_kind`: it also reads the customer's other facts of that kind."""

    name: str
    kind: str
    needs_kind: bool
    condition: Callable[[New, AlertSettings], Alert | None]


def customer_at_risk(new: New, _: AlertSettings) -> CustomerAtRisk | None:
    """The `at_risk` metric, as of the new ticket's own day, over all of the customer's tickets so far."""
    ticket = new.fact.after.payload
    if not isinstance(ticket, SupportTicket):
        raise TypeError(ticket)
    day = ticket.created_date // MICROS_PER_DAY
    recent = dict(_recent(new.facts, day))
    state = State.sum(map(contribution, recent.values()))
    view = View(state, date_of(day))
    if not METRIC["at_risk"].of(view):
        return None
    return CustomerAtRisk(
        occurred_at=ticket.created_date,
        entity_id=new.entity_id,
        action="proactive_outreach",
        reason=str(METRIC["risk_reason"].of(view)),
        tickets_30d=view.window("tickets", WINDOW_DAYS),
        high_priority_tickets_30d=view.window("high_priority_tickets", WINDOW_DAYS),
        tickets=_evidence(recent),
    )


def large_refund(new: New, settings: AlertSettings) -> LargeRefund | None:
    """A new refund at or above the threshold."""
    refund = new.fact.after.payload
    if not isinstance(refund, Refund):
        raise TypeError(refund)
    if refund.amount < settings.large_refund_cents:
        return None
    return LargeRefund(refund.refunded_at, new.entity_id, refund.order_id, refund.amount, settings.large_refund_cents)


RULES: Final = (
    Rule("customer_at_risk", "support_ticket", needs_kind=True, condition=customer_at_risk),
    Rule("large_refund", "refund", needs_kind=False, condition=large_refund),
)
KINDS_NEEDED: Final = frozenset(rule.kind for rule in RULES if rule.needs_kind)
"""The kinds whose rules read the customer's other facts of the kind."""
_BY_KIND: Final = {kind: [rule for rule in RULES if rule.kind == kind] for kind in {rule.kind for rule in RULES}}


def raised(kind: str, new: New, settings: AlertSettings) -> tuple[Alert, ...]:
    """The alerts that a new entity of `kind` raises, in the order of `RULES`."""
    found = (rule.condition(new, settings) for rule in _BY_KIND.get(kind, ()))
    return tuple(alert for alert in found if alert is not None)


def has_rules(kind: str) -> bool:
    return kind in _BY_KIND


def _recent(facts: Mapping[str, Fact], day: int) -> Iterator[tuple[str, SupportTicket]]:
    """Yields the tickets of the window that ends on `day`. A busy customer has thousands of others."""
    for ticket_id, fact in facts.items():
        ticket = fact.after.payload
        if isinstance(ticket, SupportTicket) and 0 <= day - ticket.created_date // MICROS_PER_DAY <= WINDOW_DAYS:
            yield ticket_id, ticket


def _evidence(recent: Mapping[str, SupportTicket]) -> tuple[TicketEvidence, ...]:
    tickets = [
        TicketEvidence(ticket_id, ticket.created_date // MICROS_PER_DAY, ticket.priority)
        for ticket_id, ticket in recent.items()
    ]
    tickets.sort(key=lambda ticket: (-ticket.day, ticket.ticket_id))
    return tuple(tickets[:EVIDENCE_TICKETS])
