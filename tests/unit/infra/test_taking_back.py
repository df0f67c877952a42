"""The page of recipes, without a server: whatever it says to import goes in whole."""

from pathlib import Path

from infra import cli
from infra.paths import ROOT
from tests.support.recipes import steps

PAGE = ROOT / "docs" / "taking-back.md"


def test_r5b_every_command_of_the_page_imports_its_file_whole(tmp_path: Path) -> None:
    for step in steps(PAGE):
        for name, content in step.files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        for _program, *words in step.commands:
            arguments = [str(tmp_path / word) if (tmp_path / word).is_file() else word for word in words]

            assert cli.run([*arguments, "--dry-run"]) == 0, words
