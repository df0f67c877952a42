"""What the gate keeps in Cassandra, in memory: manifests, declared shapes, and the journal."""

from dataclasses import dataclass, field
from typing import Any

from batch_layer.manifest import Manifest
from common.log.shapes import Shape, Source
from common.servers.journal import Entry


@dataclass
class Kept:
    """What is kept, the newest first."""

    manifests: list[Manifest] = field(default_factory=list)
    shapes: dict[tuple[Source, int], Shape] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)

    def declared(self, session: Any, before: int | None = None) -> dict[Source, Shape]:
        known = sorted(self.shapes.items(), key=lambda item: item[0][1])
        return {source: shape for (source, batch_id), shape in known if before is None or batch_id < before}

    def declare(self, session: Any, source: Source, shape: Shape, batch_id: int) -> None:
        self.shapes[source, batch_id] = shape

    def record(self, session: Any, entry: Entry) -> None:
        self.journal.insert(0, entry)
