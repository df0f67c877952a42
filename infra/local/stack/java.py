"""Java 17 and the servers' jars: where they are, or what to do."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from common.errors import StackError
from infra.paths import JARS

VERSION: Final = "17"
HEADERS: Final = {"kafka": "kafka_2.13", "cassandra": "cassandra-all", "spark": "iceberg-spark-runtime"}
"""A jar of each set whose absence means that set-up did not run."""


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """The `java` of a Java 17: of JAVA_HOME, on the path, or in the usual folder. Raises StackError if none is."""
    for candidate in _candidates(environ):
        if _major(candidate) == VERSION:
            return candidate
    raise StackError("Java 17 was not found; run `make setup`, or install it and set JAVA_HOME to its folder")


def jars(part: str) -> Path:
    """The folder that holds the jars of `part`. Raises StackError if they were never fetched."""
    folder = JARS / part
    if not any(folder.glob(f"{HEADERS[part]}*.jar")):
        raise StackError(f"the jars of {part} are not in {folder}; run `make setup`")
    return folder


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"]) / "bin" / "java"
    on_path = shutil.which("java", path=environ.get("PATH"))
    if on_path:
        yield Path(on_path)
    yield from sorted(Path("/usr/lib/jvm").glob("*17*/bin/java"))


@cache
def _major(java: Path) -> str | None:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', said.stderr)
    return found[1] if found else None
