"""Compares a file's shape with the one that its series declared, and declares what an operator approved."""

from collections.abc import Collection
from dataclasses import dataclass

from common.errors import UsageError
from common.log.shapes import Change, Observed, Source, accepted, changes, declared_after
from common.servers import declared_shapes
from common.servers.cassandra import connected
from common.settings import Settings


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a file differs from the declared shape of its series."""

    source: Source
    changes: tuple[Change, ...] = ()
    approved: frozenset[str] = frozenset()
    """The names of those that became a part of the declared shape. New columns do so by themselves."""

    def as_json(self) -> dict[str, object]:
        """Returns it as a JSON object."""
        return {
            "series": self.source.name,
            "changes": [
                {
                    "what": str(change.what),
                    "column": change.field,
                    "was": list(change.was),
                    "now": list(change.now),
                    "rows": change.records,
                    "example": change.example,
                    "name": change.name,
                    "declared": change.name in self.approved,
                }
                for change in self.changes
            ],
        }


def compare(settings: Settings, observed: Observed, approvals: Collection[str]) -> Comparison:
    """Returns how the file differs from the declared shape, which after it has the new and the approved columns.

    The first file of a series declares its shape.
    """
    with connected(settings) as session:
        declared = declared_shapes.declared(session).get(observed.source)
        found = () if declared is None else tuple(changes(declared, observed))
        taken = accepted(found, approvals)
        after = declared_after(declared, observed.shape, taken)
        if after != declared:
            declared_shapes.declare(session, observed.source, after, batch_id=0)
    return Comparison(observed.source, found, frozenset(change.name for change in taken))


def check_approvals(approvals: Collection[str], source: Source) -> None:
    """Raises UsageError for an approval that cannot be of this file's series."""
    for name in approvals:
        if not name.endswith(f"@{source.name}"):
            rule = f"a change of this file as its summary names it: removed:{source.kind}.COLUMN@{source.name}"
            raise UsageError("--approve", name, rule)
