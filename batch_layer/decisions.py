"""An operator's decisions about one run: what to wait for no longer, and what to accept, by name and with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What the operator of a run decided beforehand. A decision that is used is kept in the manifest and the journal.

    `reason` belongs to `accepted_drift` and `accept_unaudited`; a waiver has a reason of its own.
    """

    waived: Mapping[str, str] = field(default_factory=dict)
    """Reasons by the name of the gate's rule that may not stop the run."""
    approved: frozenset[str] = frozenset()
    """Names of changes of the data's shape that become the declared shape."""
    accepted_drift: frozenset[str] = frozenset()
    """Customers whose drift does not stop the run; they are degraded until a rebuild (R18)."""
    accept_unaudited: bool = False
    reason: str = ""
