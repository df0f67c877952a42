"""Reads the options by which an operator lets a run pass the quality gate."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch_layer.decisions import Decisions
    from common.settings import Settings


def gate_decisions(settings: "Settings", waivers: Iterable[str], approvals: Iterable[str]) -> "Decisions":
    """Returns the decisions that `--waive RULE=REASON` and `--approve CHANGE` make.

    Raises UsageError, before anything is started, for a rule that is none, which names those there are, and for an
    option of another form.
    """
    from batch_layer.decisions import Decisions
    from batch_layer.gate.rules_file import check_decisions, load
    from common.errors import UsageError

    waived: dict[str, str] = {}
    for text in waivers:
        name, equals, reason = text.partition("=")
        if not equals:
            raise UsageError("--waive", text, "it must be written --waive RULE=REASON")
        if name in waived:
            raise UsageError("--waive", text, f"{name} is waived twice")
        waived[name] = reason.strip()
    decisions = Decisions(waived=waived, approved=frozenset(approvals))
    check_decisions(load(settings), decisions.waived, decisions.approved)
    return decisions
