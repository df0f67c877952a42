"""What a step found, as the run's manifest keeps it. Knows no step."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """A class of drift."""

    drift: str
    """Its name: see `batch_layer.audit.classes.Drift`."""
    customers: int
    named: tuple[str, ...]
    """The first of the customers."""
    example: str
    """What shows it, of the first customer."""


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit compared, and what it found."""

    generation: int
    rows: int
    """Rows of the loaded slot that were read back, with their checksum."""
    checksum: str
    is_complete: bool
    """Whether they are exactly the recomputation's rows. Only such a slot may be pointed at, so nobody accepts less."""
    compared: int
    """Customers whose answers were compared."""
    skipped: int
    """Customers with an erasure at or above the new cut."""
    facts: int
    """The speed layer's facts that were compared with the log's, of `fact_customers` customers."""
    fact_customers: int
    findings: tuple[Finding, ...] = ()
    unexamined: int = 0
    """Customers with drift that were counted, and not looked into: there are too many."""
    accepted: tuple[str, ...] = ()
    """Customers whose drift the operator accepted, now or earlier in this generation."""
    unaudited: tuple[str, ...] = ()
    """Why some partitions could not be audited; empty if all were."""
    unaudited_accepted: bool = False
    reason: str = ""
    """The operator's, for what was accepted."""

    @property
    def figures(self) -> str:
        """The report in one line."""
        parts = [f"{self.rows} rows read back, {self.compared} customers and {self.facts} facts compared"]
        if self.skipped:
            parts.append(f"{self.skipped} erased since")
        parts += [f"{finding.drift}: {finding.customers}" for finding in self.findings]
        if self.unaudited:
            parts.append("unaudited in part" if self.compared else "unaudited")
        return ", ".join(parts)
