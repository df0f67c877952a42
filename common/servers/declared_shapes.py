"""The declared shapes of the sources' data, in Cassandra, where an import reads them without Spark."""

from typing import Final

import msgspec
from cassandra.cluster import Session

from common.log.shapes import Shape, Source
from common.servers.patience import patiently
from common.tables import Tables

_NAME: Final = "declared"


def declared(session: Session, before: int | None = None) -> dict[Source, Shape]:
    """Returns the newest declared shape of each source: of all, or of those that batches below `before` declared.

    So a batch that is judged again is compared with the same shapes, although it declared others since.
    """
    select = f"SELECT kind, source, batch_id, shape FROM {Tables.declared_shapes} WHERE name = %s"
    rows = patiently(lambda: list(session.execute(select, (_NAME,))), "reading the declared shapes")
    newest: dict[Source, Shape] = {}
    for row in rows:  # by source, the newest first
        source = Source(row.kind, row.source)
        if source not in newest and (before is None or row.batch_id < before):
            newest[source] = msgspec.json.decode(row.shape, type=Shape)
    return newest


def declare(session: Session, source: Source, shape: Shape, batch_id: int) -> None:
    """Stores the shape as the one that the batch declared; 0 stands for what an import declared. Idempotent."""
    insert = f"INSERT INTO {Tables.declared_shapes} (name, kind, source, batch_id, shape) VALUES (%s, %s, %s, %s, %s)"
    text = msgspec.json.encode(shape).decode()
    values = (_NAME, source.kind, source.name, batch_id, text)
    patiently(lambda: session.execute(insert, values), "declaring a shape")
