"""The jars of Spark's JVM: which ones, and the archive of their classes that makes it start quickly. Knows no Spark."""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common.errors import BatchError, SettingsError
from common.settings import Settings

_ARCHIVE_MAGIC: Final = bytes.fromhex("a8ab0bf0")


def jars_of(settings: Settings, folder: Path) -> list[Path]:
    """Returns the jars of the folder, and behind them those of the setting `batch.jars`; there are some.

    Raises BatchError if the folder has none, and SettingsError if `batch.jars` names a folder without any.
    """
    found = _in(folder)
    if not found:
        raise BatchError(f"Spark's jars are not in {folder}; `make setup` fetches them")
    further = settings.batch.jars
    if not further:
        return found
    added = _in(Path(further))
    if not added:
        raise SettingsError(
            "LAMBDA360_BATCH_JARS", further, "a folder that holds jars (`make setup-s3` fills .jars/s3)"
        )
    return found + added


def class_archive(jars: Sequence[Path]) -> str:
    """The option that makes the JVM use its archive of loaded classes (CDS) or, without one, write one at its end.

    The JVM writes the archive's header last. An archive without it is incomplete: its JVM was killed, or still writes.
    """
    contents = "\n".join(f"{jar} {jar.stat().st_size} {jar.stat().st_mtime_ns}" for jar in jars) + sys.prefix
    archive = jars[0].parent / f"classes-{hashlib.sha256(contents.encode()).hexdigest()[:12]}.jsa"
    if archive.exists():
        with archive.open("rb") as file:
            if file.read(4) == _ARCHIVE_MAGIC:
                return f"-XX:SharedArchiveFile={archive}"
    return f"-XX:ArchiveClassesAtExit={archive}"


def _in(folder: Path) -> list[Path]:
    return sorted(jar.absolute() for jar in folder.glob("*.jar"))
