"""What a worker knows of one customer while it applies the customer's records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from common.algebra.facts import Fact
from common.algebra.payloads import PAYLOADS
from speed_layer.apply.rows import EntityKey, Placed

EVERY_KIND: Final = frozenset(PAYLOADS)


@dataclass(slots=True)
class Known:
    """What is stored of one customer, as far as it was read. An entity that maps to None has no fact.

    For the kinds in `complete` every entity was read: one that is not in `facts` has no fact.
    """

    reset_offset: int | None = None
    facts: dict[EntityKey, Fact | None] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()

    def missing(self, entities: Iterable[EntityKey]) -> set[EntityKey]:
        """Returns those of `entities` that were not read yet."""
        return {entity for entity in entities if entity[0] not in self.complete and entity not in self.facts}

    def current(self, entity: EntityKey) -> Fact | None:
        """The entity's current fact since the last reset."""
        fact = self.facts.get(entity)
        return None if fact is None or self.erased(fact.offset) else fact

    def of_kind(self, kind: str) -> Mapping[str, Fact]:
        """The current facts of `kind` by entity id, as far as they are known."""
        return {
            entity_id: fact
            for (each, entity_id), fact in self.facts.items()
            if each == kind and fact is not None and not self.erased(fact.offset)
        }

    def erased(self, offset: int) -> bool:
        return self.reset_offset is not None and offset < self.reset_offset

    def update(self, found: "Known") -> None:
        """Add what was just read."""
        self.reset_offset = found.reset_offset
        self.facts.update(found.facts)
        self.complete |= found.complete

    def reaches_above(self, offset: int) -> bool:
        """Whether a fact above `offset` was read: then another worker has applied beyond it."""
        return any(fact is not None and fact.offset > offset for fact in self.facts.values())

    def is_torn(self, records: Iterable[Placed]) -> bool:
        """Whether a fact above one of `records` was read, but not the fact of that record.

        The mutation of the lower one was acknowledged before the upper one was written. So the read ran during a write
        and saw only the later of two mutations. A decision that reads several entities must not rely on it.
        """
        above = max((fact.offset for fact in self.facts.values() if fact is not None), default=-1)
        return any(
            record.offset < above
            and not record.event.is_erasure
            and not self.erased(record.offset)
            and self.current(record.entity) is None
            for record in records
        )
