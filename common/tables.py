"""The names of Cassandra's tables, by the speed tables' generation (R13) and the view's slot (R17). Knows no column."""

from dataclasses import dataclass
from typing import ClassVar, Final

FIRST_GENERATION: Final = 1
"""The tables of this generation have no suffix."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one generation: its facts and deltas, and the tables that all generations share.

    Progress is shared, since its rows name their generation, and alerts are, since every generation raises the same.
    """

    generation: int

    alerts: ClassVar[str] = "customer_alerts"
    dead_letters: ClassVar[str] = "dead_letters"
    progress: ClassVar[str] = "speed_progress"
    batch_pointer: ClassVar[str] = "batch_pointer"
    batches: ClassVar[str] = "batches"
    batch_owner: ClassVar[str] = "batch_owner"
    declared_shapes: ClassVar[str] = "declared_shapes"
    journal: ClassVar[str] = "journal"
    log_identity: ClassVar[str] = "log_identity"
    notifications: ClassVar[str] = "notifications"
    ranked_slots: ClassVar[str] = "ranked_slots"
    schema_changes: ClassVar[str] = "schema_changes"

    @property
    def facts(self) -> str:
        return self._of_generation("speed_facts")

    @property
    def deltas(self) -> str:
        return self._of_generation("speed_deltas")

    @staticmethod
    def batch_view(slot: str) -> str:
        return f"batch_view_{slot}"

    @staticmethod
    def rankings(slot: str) -> str:
        return f"customer_rankings_{slot}"

    def _of_generation(self, name: str) -> str:
        return name if self.generation == FIRST_GENERATION else f"{name}_g{self.generation}"
