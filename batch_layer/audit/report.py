"""The words of an audit that stops a run: what it found, and what the operator can do (R18). Pure."""

import shlex

from batch_layer.audit.classes import Drift
from batch_layer.decisions import Decisions
from batch_layer.reports import AuditReport, Finding


def stopping(report: AuditReport, decisions: Decisions) -> str:
    """Returns what stops the run, in sentences for the operator; empty if nothing does."""
    found = [finding for finding in report.findings if _open(report, finding)]
    lines = []
    if found or report.unexamined:
        whose = "the answers that are served" if report.is_complete else "what was loaded into its slot"
        lines.append(f"The new view and {whose} differ:")
        lines += [f"  {_text(report, finding)}" for finding in found]
    if report.unexamined:
        lines.append(f"  {report.unexamined} more customers, which were not looked into one by one")
    if report.unaudited and not decisions.accept_unaudited:
        lines.append("The new view could not be compared with all answers that are served (unaudited):")
        lines += [f"  {reason}" for reason in report.unaudited]
    return "\n".join(lines)


def way_on(report: AuditReport, batch_id: int) -> str:
    """Returns what the operator can do about what stops the batch's run."""
    resume = f"lambda360 batch run --resume {batch_id}"
    lines = ["Nothing was published; the current view is unchanged."]
    names = list(dict.fromkeys(name for finding in report.findings for name in _open(report, finding)))
    if not report.is_complete:
        lines.append(f"`{resume}` loads the slot again; if that does not help, look at Cassandra's disks and logs.")
    elif report.unexamined:
        lines.append(
            "So many cannot be accepted by name. Look for one cause: a measure that changed under an old "
            "`logic_version`, or speed tables that must be rebuilt."
        )
    elif names:
        flags = " ".join(f"--accept-drift {shlex.quote(name)}" for name in names[:3]) + " …" * (len(names) > 3)
        lines.append(
            f"To publish it all the same: `{resume} {flags} --reason R`. The answers of these customers are then "
            "degraded until `lambda360 speed rebuild`."
        )
    if report.is_complete and any(
        each.drift == Drift.LOST_SLOT_ROW and _open(report, each) for each in report.findings
    ):
        lines.append(
            "The slot that is served lost rows, so its answers are wrong now: `lambda360 batch rollback` goes back to "
            "the batch before, whose slot has its own rows, and `lambda360 batch run` then compares with that."
        )
    if report.unaudited and not report.unaudited_accepted:
        lines.append(
            f"Mend it, and audit again: `{resume}`. To publish it unaudited: `{resume} --accept-unaudited --reason R`."
        )
    return "\n".join(lines)


def _open(report: AuditReport, finding: Finding) -> list[str]:
    """The finding's customers that nobody has accepted."""
    accepted = set(report.accepted) if report.is_complete else set[str]()
    return [name for name in finding.named if name not in accepted]


def _text(report: AuditReport, finding: Finding) -> str:
    names = _open(report, finding)
    shown = ", ".join(map(repr, names[:10])) + " …" * (finding.customers > min(len(names), 10))
    return f"{finding.drift}: {finding.customers} customer(s), {shown}: {finding.example}"
