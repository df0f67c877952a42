"""Finds Java 17 and the servers' jars."""

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
MAIN_JARS: Final = {"kafka": "kafka_2.13", "cassandra": "cassandra-all", "spark": "iceberg-spark-runtime"}
"""The parts that need jars, each with the start of one jar's name. If that jar is missing, set-up did not run."""


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the `java` of a Java 17: of JAVA_HOME, else on the PATH, else below /usr/lib/jvm.

    Raises StackError if there is none.
    """
    for candidate in _candidates(environ):
        if _major(candidate) == VERSION:
            return candidate
    raise StackError("Java 17 was not found; run `make setup`, or install it and set JAVA_HOME to its folder")


def jars(part: str) -> Path:
    """Returns the folder that holds the jars of `part`. Raises StackError if they were not fetched."""
    folder = JARS / part
    if not any(folder.glob(f"{MAIN_JARS[part]}*.jar")):
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
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', done.stderr)
    return found[1] if found else None
