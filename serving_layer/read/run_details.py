"""Batch runs as the API lists them: what a stored manifest tells of plan, gate and audit, without any customer's id."""

import msgspec

from common.algebra.cut import Cut


class Plan(msgspec.Struct, frozen=True):
    """What the run was computed from, as far as it is shown."""

    cut: Cut


class Finding(msgspec.Struct, frozen=True):
    """What a rule of the quality gate said."""

    rule: str
    kind: str
    verdict: str
    text: str


class Gate(msgspec.Struct, frozen=True):
    """What the quality gate found."""

    records: int
    score: float
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


class RunDetails(msgspec.Struct, frozen=True):
    """A run. Times are microseconds since the epoch, UTC."""

    batch_id: int
    status: str
    plan: Plan
    started_at: int | None = None
    finished_at: int | None = None
    rows: int | None = None
    seconds: dict[str, float] = {}
    gate: Gate | None = None
    audit: Audit | None = None


def decode(text: str) -> RunDetails | None:
    """Returns the run of a stored manifest; None for one that has other fields, which a newer release wrote."""
    try:
        return _RUN.decode(text)
    except msgspec.DecodeError:
        return None


_RUN: msgspec.json.Decoder[RunDetails] = msgspec.json.Decoder(RunDetails)
