"""One customer's records in offset order become the rows that workers would have left (R10, R24). Pure."""

from dataclasses import dataclass, field
from typing import Protocol

from common.algebra.facts import Delta, Fact, Image, Origin, decide

EntityKey = tuple[str, str]
"""Kind and entity id."""


class Happened(Protocol):
    """A valid record, without its position: an `Event`, or what the master's columns keep of one."""

    @property
    def kind(self) -> str: ...

    @property
    def entity_id(self) -> str: ...

    @property
    def image(self) -> Image | None:
        """None for an erasure."""

    @property
    def origin(self) -> Origin | None: ...


@dataclass(slots=True)
class Folded:
    """The speed tables' rows of one customer, and which of them its records changed.

    `facts` and `reset_offset` begin as what is stored; `changed`, `deltas` and `reset` begin empty, and are what is to
    be written.
    """

    deltas_from: int = 0
    """Deltas below it are left out."""
    facts: dict[EntityKey, Fact] = field(default_factory=dict)
    reset_offset: int | None = None
    changed: set[EntityKey] = field(default_factory=set)
    deltas: list[tuple[int, Delta]] = field(default_factory=list)
    reset: Delta | None = None
    """The delta of the last erasure among the records, which stands at `reset_offset`."""

    def apply(self, offset: int, appended_at: int, event: Happened) -> None:
        """Adds one record. Records must come in offset order; one that was stored before leaves the same rows again.

        The alerts of a fact are left out: who applies a record raises them, and a rebuild never does (R13).
        """
        if self.reset_offset is not None and offset < self.reset_offset:
            return
        if event.image is None:
            self._forget(offset, Delta.reset(appended_at, event.origin))
            return
        entity = event.kind, event.entity_id
        _, fact = decide(self.facts.get(entity), event.image, offset)
        if fact is None:
            return
        self.facts[entity] = fact
        self.changed.add(entity)
        if offset < self.deltas_from:
            return
        delta = Delta(
            kind=event.kind,
            entity_id=event.entity_id,
            before=fact.before,
            after=fact.after,
            appended_at=appended_at,
            origin=event.origin,
        )
        self.deltas.append((offset, delta))

    def _forget(self, offset: int, reset: Delta) -> None:
        """Facts and deltas below the erasure are absent from here on."""
        self.reset_offset = offset
        self.reset = reset
        self.facts = {entity: fact for entity, fact in self.facts.items() if fact.offset > offset}
        self.changed &= self.facts.keys()
        self.deltas.clear()
