"""An object store of S3's protocol on this machine: moto's server, in an environment of its own, on a free port."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from infra.paths import JARS, ROOT
from tests.support.harness import wait_until

BUCKET: Final = "lake"
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "zq-access",
    "AWS_SECRET_ACCESS_KEY": "zq-secret-of-the-store",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""moto takes any. Nobody is to look for a role of this machine."""
_ENVIRONMENT: Final = ROOT / ".moto"
_LOCK: Final = Path(__file__).with_name("moto.lock")
_ADDRESS: Final = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
_START_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running store, with an empty bucket."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def batch(self, prefix: str, folder: Path) -> dict[str, object]:
        """Settings of the batch layer: a warehouse here, and its catalog in a file of `folder`."""
        return {
            "catalog": "jdbc",
            "catalog_uri": f"jdbc:sqlite:{folder / 'catalog.db'}",
            "warehouse": f"s3://{BUCKET}/{prefix}",
            "s3_endpoint": self.endpoint,
            "jars": str(further_jars()),
        }

    def end(self) -> None:
        """The store is away from now on."""
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Yields a running store; its log is in `folder`. Ends what it started."""
    log = folder / "moto.log"
    command = [str(_environment()), "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    store = None
    try:
        wait_until(lambda: _ADDRESS.search(log.read_text()) is not None, _START_SECONDS, "moto's server answers")
        found = _ADDRESS.search(log.read_text())
        assert found is not None
        store = ObjectStore(found[1], process)
        httpx.put(f"{store.endpoint}/{BUCKET}").raise_for_status()
        yield store
    finally:
        process.terminate()
        process.wait(60)


def further_jars() -> Path:
    """The folder of the object store's client for Spark; it is fetched where it is missing."""
    folder = JARS / "s3"
    with _alone():
        if not (folder / ".done").exists():
            subprocess.run([str(ROOT / "infra/local/setup/jars.sh"), "s3"], check=True, cwd=ROOT)
    return folder


def _environment() -> Path:
    """The Python that has moto; its packages are installed where they are missing, or are others than the lock's."""
    done, wanted = _ENVIRONMENT / "installed.lock", _LOCK.read_text(encoding="utf-8")
    python = _ENVIRONMENT / "bin" / "python"
    with _alone():
        if not done.exists() or done.read_text(encoding="utf-8") != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
            subprocess.run([str(python), *install, str(_LOCK)], check=True)
            done.write_text(wanted, encoding="utf-8")
    return python


@contextmanager
def _alone() -> Iterator[None]:
    """Of several test processes one sets up, and the others wait."""
    descriptor = os.open(ROOT / ".moto.lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
