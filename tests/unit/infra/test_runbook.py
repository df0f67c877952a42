"""docs/runbook.md: messages name sections that it has, and each of its commands is one that there is."""

import re
import shlex

import click
import pytest

from common import runbook
from infra.cli import lambda360
from infra.paths import ROOT

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    {
        line.strip()
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    }
)


def test_every_section_that_a_message_names_is_on_the_page() -> None:
    named = [value for name, value in vars(runbook).items() if name.isupper()]

    assert len(named) == 3
    for value in named:
        title = re.fullmatch(r'docs/runbook\.md, "(.+)"', value)
        assert title is not None
        assert f"\n## {title[1]}\n" in PAGE


def test_every_link_within_the_page_leads_to_a_section() -> None:
    titles = [
        title.lower().replace(" ", "-").replace(":", "") for title in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    ]

    found = re.findall(r"\]\(#([^)]+)\)", PAGE)

    assert found
    assert set(found) <= set(titles)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_one_that_there_is(line: str) -> None:
    program, *words = [word for word in shlex.split(line, comments=True) if not word.startswith("LAMBDA360_")]
    assert program == "lambda360"

    command: click.Command = lambda360
    context = click.Context(lambda360)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found

    command.make_context("it", words)
