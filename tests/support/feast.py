"""A copy of the feature repository, and its programs in Feast's own environment, as a user runs them."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT
from tests.support.features import FeatureValue

Vector = dict[str, FeatureValue]
_BIN: Final = ROOT / ".feast" / "bin"
needs_feast: Final = pytest.mark.skipif(not (_BIN / "feast").exists(), reason="`make test-feast` installs Feast")


@dataclass(frozen=True)
class FeastRepository:
    """The folder of the copy; its features are in `data/features`."""

    folder: Path

    @classmethod
    def copied(cls, folder: Path) -> "FeastRepository":
        source = ROOT / "infra" / "deploy" / "feast"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
        (folder / "data").mkdir()
        return cls(folder)

    @property
    def features(self) -> Path:
        return self.folder / "data" / "features"

    def run(self, program: str, *arguments: str, told: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs `feast`, or one of the repository's programs."""
        command = [str(_BIN / program)] if program == "feast" else [str(_BIN / "python"), str(self.folder / program)]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            input=told,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def apply(self) -> None:
        done = self.run("feast", "apply")
        assert done.returncode == 0, done.stderr

    def materialize(self, known_at: datetime) -> None:
        """Loads the rows that were known at that time, as the export's last line says."""
        at = known_at.replace(tzinfo=None).isoformat(timespec="microseconds")
        done = self.run("feast", "materialize", at, at)
        assert done.returncode == 0, done.stderr

    def vectors(self, customers: Sequence[str], at: datetime | None = None) -> dict[str, Vector]:
        """The customers' vectors: the online ones, or those that were known at a time."""
        arguments = () if at is None else ("--at", at.isoformat())
        done = self.run("vectors.py", *arguments, told="".join(f"{customer}\n" for customer in customers))
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert sorted(row["customer_id"] for row in rows) == sorted(customers)
        return {row.pop("customer_id"): row for row in rows}
