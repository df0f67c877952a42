"""Reads the options by which an operator accepts what an audit found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch_layer.decisions import Decisions


def with_audit(decisions: "Decisions", drift: Sequence[str], reason: str, *, unaudited: bool) -> "Decisions":
    """Returns the decisions, and those that `--accept-drift`, `--accept-unaudited` and `--reason` make.

    Raises UsageError if something is accepted without a reason, or a reason is given for nothing.
    """
    from dataclasses import replace

    from common.errors import UsageError

    reason = reason.strip()
    if (drift or unaudited) and not reason:
        flag = "--accept-drift" if drift else "--accept-unaudited"
        raise UsageError("--reason", reason, f"{flag} needs a reason, which the manifest and the journal keep")
    if reason and not (drift or unaudited):
        raise UsageError("--reason", reason, "it belongs to --accept-drift or --accept-unaudited")
    return replace(decisions, accepted_drift=frozenset(drift), accept_unaudited=unaudited, reason=reason)
