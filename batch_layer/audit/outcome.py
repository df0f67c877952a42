"""From what an audit compared to its report, and to the marks that the operator's decisions make (R18). Pure."""

from collections.abc import Iterable, Mapping, Sequence

from batch_layer.audit.classes import Drift
from batch_layer.audit.evidence import Examined
from batch_layer.audit.facts import Sampled
from batch_layer.audit.passage import Passage
from batch_layer.audit.ranges import Scope
from batch_layer.audit.tally import Tally
from batch_layer.decisions import Decisions
from batch_layer.reports import AuditReport, Finding
from batch_layer.view.digest import Digest

Marks = Mapping[str, Sequence[str]]
"""The classes of drift by customer, of those that are to be marked."""


def incomplete(scope: Scope, loaded: Digest, tally: Tally, customers: int, named: Sequence[str]) -> AuditReport:
    """Returns the report of a slot that is not what was loaded; nothing else is compared then."""
    example = f"{loaded.rows} rows ({loaded.checksum}) were loaded into slot {scope.claim.slot!r}, and "
    example += f"{tally.digest.rows} ({tally.digest.checksum}) read back"
    return AuditReport(
        generation=scope.generation,
        rows=tally.digest.rows,
        checksum=tally.digest.checksum,
        is_complete=False,
        compared=0,
        skipped=0,
        facts=0,
        fact_customers=0,
        findings=(Finding(Drift.LOST_SLOT_ROW, customers, tuple(named), example),),
    )


def reported(
    scope: Scope, after: Passage, tally: Tally, sample: Sampled, drifted: Sequence[Examined], decisions: Decisions
) -> tuple[AuditReport, Marks]:
    """Returns the report of a complete slot, and what the operator's decisions mark."""
    news = {each.customer: [drift for drift, _ in each.classes] for each in drifted if not each.is_marked}
    marks = {customer: news[customer] for customer in news if customer in decisions.accepted_drift}
    accepted = tuple(each.customer for each in drifted if each.is_marked or each.customer in marks)
    return AuditReport(
        generation=scope.generation,
        rows=tally.digest.rows,
        checksum=tally.digest.checksum,
        is_complete=True,
        compared=tally.compared,
        skipped=tally.skipped,
        facts=sample.facts,
        fact_customers=sample.customers,
        findings=tuple(_findings(drifted)),
        unexamined=max(tally.drifted - len(tally.customers), 0),
        accepted=accepted,
        unaudited=after.reasons,
        unaudited_accepted=bool(after.reasons) and decisions.accept_unaudited,
        reason=decisions.reason if marks or (after.reasons and decisions.accept_unaudited) else "",
    ), marks


def _findings(drifted: Iterable[Examined]) -> Iterable[Finding]:
    found: dict[str, Finding] = {}
    for each in drifted:
        for name, text in each.classes:
            known = found.get(name)
            named = (*(known.named if known else ()), each.customer)
            example = known.example if known else f"of {each.customer!r}, {text}"
            found[name] = Finding(str(name), len(named), named, example)
    return found.values()
