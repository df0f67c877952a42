"""The `id` and the `source` in the envelope of an imported record."""

from pathlib import Path
from typing import Final

from common.log.entities import Data, RetractionData
from common.log.wire import RecordType

MAX_CHARACTERS: Final = 512
"""The most that an envelope's `id` and `source` may have."""


def event_id(entry: RecordType, data: Data, version: str) -> str:
    """Returns an id that is the same whenever the same row is imported."""
    suffix = ":retracted" if isinstance(data, RetractionData) else ""
    name = f"{entry.kind}:{getattr(data, entry.entity_id)}:{version}"
    return f"{name[: MAX_CHARACTERS - len(suffix)]}{suffix}"


def source_of(path: Path) -> str:
    """Returns the URI of a file. If it is too long for a source, only its end is kept, after `file:...`."""
    uri = path.absolute().as_uri()
    return uri if len(uri) <= MAX_CHARACTERS else f"file:...{uri[-MAX_CHARACTERS + 8 :]}"
