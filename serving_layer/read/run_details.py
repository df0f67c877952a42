"""Batch runs as the API lists them: what a stored manifest tells of plan, gate and audit, without any customer's id."""

import msgspec

from common.algebra.cut import Cut
from serving_layer.read.runs import Gate, Run, decoder_of


class Plan(msgspec.Struct, frozen=True):
    """What the run was computed from, as far as it is shown."""

    cut: Cut


class Finding(msgspec.Struct, frozen=True):
    """What a rule of the quality gate said."""

    rule: str
    kind: str
    verdict: str
    text: str


class GateDetails(Gate, frozen=True):
    """What the quality gate found, with its rules."""

    findings: tuple[Finding, ...] = ()
    changes: tuple[str, ...] = ()
    quarantined: int = 0


class Drift(msgspec.Struct, frozen=True):
    """A class of drift. The manifest names customers beside it, which are not read."""

    drift: str
    customers: int


class Audit(msgspec.Struct, frozen=True):
    """What the audit compared and found."""

    compared: int
    skipped: int
    facts: int
    is_complete: bool
    findings: tuple[Drift, ...] = ()
    accepted: tuple[str, ...] = ()
    """Ids of customers: their number is shown, and they are not."""
    unaudited: tuple[str, ...] = ()


class RunDetails(Run, frozen=True, kw_only=True):
    """A run, with what it was computed from, gate and audit."""

    plan: Plan
    started_at: int | None = None
    gate: GateDetails | None = None
    audit: Audit | None = None


decode = decoder_of(RunDetails)
