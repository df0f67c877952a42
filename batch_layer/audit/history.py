"""What the log gives for one customer, folded from the master's records by the rules of R4, R10 and R24. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batch_layer.audit.stored import Entity
from common.algebra.facts import Delta, Fact, Image, decide
from common.algebra.measures import contribution
from common.algebra.profile import KIND as PROFILE
from common.algebra.state import State
from common.algebra.view_row import ViewRow


@dataclass(frozen=True, slots=True)
class Recorded:
    """A valid record of the customer in the master; `image` is None for an erasure."""

    offset: int
    entity: Entity
    image: Image | None


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
    facts: dict[Entity, Fact] = {}
    deltas: dict[int, Delta] = {}
    for record in records:
        if record.image is None:
            facts.clear()
            deltas = {record.offset: Delta.reset(0)}
            continue
        _, fact = decide(facts.get(record.entity), record.image, record.offset)
        if fact is not None:
            facts[record.entity] = fact
            kind, entity_id = record.entity
            deltas[record.offset] = Delta(
                kind=kind, entity_id=entity_id, before=fact.before, after=fact.after, appended_at=0
            )
    return History(facts, deltas)
