"""Another release of the product beside this one: its code in a folder of its own, run with this one's packages."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.settings import PREFIX, Settings, environment_of
from infra.paths import JARS, LOCK_FILE, ROOT

PACKAGES: Final = ("common", "batch_layer", "speed_layer", "serving_layer", "infra")
_VERSIONS: Final = "from common.algebra.versions import LOGIC, VALIDATION; print(LOGIC, VALIDATION)"


@dataclass(frozen=True, slots=True)
class Versions:
    """The names of a release's meanings (R7); `validation` is without the settings that are part of it."""

    logic: str
    validation: str


class ReleaseMissing(Exception):
    """The clone does not hold the commit of a release."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release: `code` is the folder that holds its packages."""

    name: str
    code: Path
    is_older: bool = False
    """Whether it may lack settings of this one."""

    def environment(self, settings: Settings) -> dict[str, str]:
        """The environment for one of its commands; an older one's has only the settings that are not the default."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        told = environment_of(settings)
        if self.code == ROOT:
            return own | told
        if not self.is_older:
            return own | told | {"PYTHONPATH": str(self.code)}
        defaults = environment_of(Settings())  # an older release refuses a setting that it does not know
        chosen = {name: value for name, value in told.items() if defaults.get(name) != value and name not in NEWER}
        return own | chosen | {"PYTHONPATH": str(self.code)}

    def versions(self) -> "Versions":
        """What it calls its meanings."""
        command = [sys.executable, "-c", _VERSIONS]
        environ = {**os.environ, "PYTHONPATH": str(self.code)}
        done = subprocess.run(command, env=environ, cwd=self.code, capture_output=True, text=True, check=True)
        logic, validation = done.stdout.split()
        return Versions(logic, validation)


NEWER: Final = {f"{PREFIX}BATCH_RULES_FILE", f"{PREFIX}BATCH_NICENESS"}
"""Settings of the tests' systems that the release before does not know, and does without."""
THIS: Final = Release("this release", ROOT)


@contextmanager
def checked_out(commit: str, name: str) -> Iterator[Release]:
    """The release of a commit of this repository, in a work tree that is gone at the end.

    Raises ReleaseMissing, which says what to do, if this clone does not hold the commit.
    """
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise ReleaseMissing(
            f"this clone does not hold the commit {commit}: get it by `git fetch --unshallow`, or by "
            f"`git fetch origin {commit}`, and run this again"
        )
    folder = Path(tempfile.mkdtemp(prefix="lambda360-release-"))
    try:
        done = _git("worktree", "add", "--force", "--detach", str(folder), commit)
        assert done.returncode == 0, done.stderr
        _link_jars(folder)
        yield Release(name, folder, is_older=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _git("worktree", "prune")


@contextmanager
def changed(replacements: Mapping[str, Mapping[str, str]], name: str) -> Iterator[Release]:
    """This release with texts of its files replaced: by file, the text to be found once, and what takes its place."""
    folder = Path(tempfile.mkdtemp(prefix="lambda360-release-"))
    try:
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        _link_jars(folder)
        for path, texts in replacements.items():
            _replace(folder / path, texts)
        yield Release(name, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def other_packages(release: Release) -> list[str]:
    """The locked packages that differ between that release and this one, `name==version` of either."""
    theirs, ours = (_locked(path) for path in (release.code / LOCK_FILE.name, LOCK_FILE))
    return sorted(theirs ^ ours)


def _link_jars(folder: Path) -> None:
    """The folder has all jars, in folders of its own: Spark's first session writes a class archive beside them."""
    archives = shutil.ignore_patterns("*.jsa")
    shutil.copytree(JARS.resolve(), folder / JARS.name, copy_function=os.symlink, ignore=archives)


def _locked(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}


def _replace(path: Path, texts: Mapping[str, str]) -> None:
    content = path.read_text(encoding="utf-8")
    for old, new in texts.items():
        assert content.count(old) == 1, f"{path} holds {old!r} {content.count(old)} times"
        content = content.replace(old, new)
    path.write_text(content, encoding="utf-8")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
