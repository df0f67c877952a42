"""`lambda360 export` asks for one of its two forms, before it connects to anything."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from common.errors import UsageError
from infra.cli import lambda360


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "FILE: '': FILE and --as-of, or --features FOLDER"),
        (["day.parquet"], "FILE: 'day.parquet': FILE and --as-of"),
        (["--as-of", "2024-06-30"], "FILE: '': FILE and --as-of"),
        (["--features", "folder", "day.parquet"], "--features: 'folder': given without FILE and --as-of"),
        (["--features", "folder", "--as-of", "2024-06-30"], "--features: 'folder': given without FILE and --as-of"),
        (["--features", "no/such/folder"], "--features: 'no/such/folder': a folder, or a new one in a folder"),
    ],
)
def test_other_forms_are_refused_by_name(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(lambda360, ["export", *arguments], standalone_mode=False)

    assert isinstance(done.exception, UsageError)
    assert says in str(done.exception)
