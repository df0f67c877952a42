"""The names of Cassandra's tables: by generation of the speed tables (R13), and by slot of the batch view (R17)."""

from dataclasses import dataclass
from typing import ClassVar, Final

FIRST_GENERATION: Final = 1
"""Its tables have no suffix."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that belong together: one generation of facts and deltas, and what all generations share.

    Progress and alerts are shared: a row of progress names its generation, and an alert is the same in each of them.
    """

    generation: int

    alerts: ClassVar[str] = "customer_alerts"
    dead_letters: ClassVar[str] = "dead_letters"
    progress: ClassVar[str] = "speed_progress"
    batch_pointer: ClassVar[str] = "batch_pointer"
    batches: ClassVar[str] = "batches"
    log_identity: ClassVar[str] = "log_identity"

    @property
    def facts(self) -> str:
        return self._of_generation("speed_facts")

    @property
    def deltas(self) -> str:
        return self._of_generation("speed_deltas")

    @staticmethod
    def batch_view(slot: str) -> str:
        return f"batch_view_{slot}"

    def _of_generation(self, name: str) -> str:
        return name if self.generation == FIRST_GENERATION else f"{name}_g{self.generation}"
