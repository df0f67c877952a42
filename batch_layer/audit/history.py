"""What the log gives for one customer, folded from the master's records by the rules of R4, R10 and R24. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batch_layer.audit.stored import Entity
from batch_layer.view.fold import Folded
from common.algebra.facts import Delta, Fact, Image, Origin
from common.algebra.measures import contribution
from common.algebra.profile import KIND as PROFILE
from common.algebra.state import State
from common.algebra.view_row import ViewRow


@dataclass(frozen=True, slots=True)
class Recorded:
    """A valid record of the customer in the master; `image` is None for an erasure."""

    offset: int
    kind: str
    entity_id: str
    image: Image | None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What the log gives, folded by the rule of R4 and R10."""

    facts: Mapping[Entity, Fact]
    deltas: Mapping[int, Delta]
    """By offset, resets among them; append times are not those of the records."""

    def row(self) -> ViewRow | None:
        """The customer's row of a view; None for an unknown customer."""
        if not self.facts:
            return None
        profile = next((fact.after for (kind, _), fact in self.facts.items() if kind == PROFILE), None)
        return ViewRow(State.sum(contribution(fact.after.payload) for fact in self.facts.values()), profile)


def folded(records: Sequence[Recorded]) -> History:
    """Returns the facts and the deltas that the records leave, in the order of their offsets."""
    rows = Folded()
    for record in records:
        rows.apply(record.offset, 0, record)
    reset = {} if rows.reset_offset is None or rows.reset is None else {rows.reset_offset: rows.reset}
    return History(rows.facts, {**reset, **dict(rows.deltas)})
