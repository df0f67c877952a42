"""R7: a version changes with the code's meaning, and with nothing else."""

import importlib
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from common.measures import logic_version
from common.versions import source_version

SOURCE = '''"""A module."""

LIMIT = 1
"""What it limits."""


class Thing:
    """A thing."""

    size: int = 0
    """Its size."""


def act(x: int) -> int:
    """What it does."""
    return x + LIMIT  # why
'''


VersionOf = Callable[..., str]


@pytest.fixture
def version_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VersionOf:
    """The version of a module with the given source; a name of its own each, for versions are remembered by it."""
    monkeypatch.syspath_prepend(tmp_path)

    def version(source: str, salt: str = "") -> str:
        name = f"versioned_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        return source_version(name, salt=salt)

    return version


def test_comments_docstrings_and_layout_do_not_change_it(version_of: VersionOf) -> None:
    bare = "LIMIT=1\nclass Thing:\n  size:int=0\ndef act(x:int)->int:\n  return (x+\n  LIMIT)\n"
    assert version_of(SOURCE) == version_of(bare)


@pytest.mark.parametrize(("old", "new"), [("LIMIT = 1", "LIMIT = 2"), ("x + LIMIT", "x - LIMIT"), ("size", "length")])
def test_code_changes_it(version_of: VersionOf, old: str, new: str) -> None:
    assert version_of(SOURCE) != version_of(SOURCE.replace(old, new))


def test_salt_changes_it_and_it_is_16_hex_digits(version_of: VersionOf) -> None:
    assert version_of(SOURCE) != version_of(SOURCE, "salt")
    assert int(version_of(SOURCE), 16) < 16**16
    assert len(version_of(SOURCE)) == 16


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        source_version("no_such_module")


def test_the_logics_version_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-c", "from common.measures import logic_version; print(logic_version())"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == logic_version()
