"""The command line: quick, lazy, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from common.errors import StackError, UsageError
from infra import cli

ENGINES = (
    "pyspark",
    "faust",
    "fastapi",
    "cassandra",
    "confluent_kafka",
    "pandas",
    "pyarrow",
    "rich",
    "infra.local.stack",
)


def lambda360(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).parent / "lambda360"), *arguments]
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)


def test_help_names_every_command_and_imports_no_engine() -> None:
    code = (
        "import sys; from infra import cli; cli.run(['--help']); "
        f"print('loaded:', [name for name in {ENGINES!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "loaded: []" in said
    for name in ("stack", "import", "watch", "dead-letters", "schema", "speed", "batch", "serve", "doctor", "demo"):
        assert f"\n  {name} " in said


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_listed_command_is_there_and_answers_help(name: str) -> None:
    assert cli.run([name, "--help"]) == 0


def test_a_commands_log_goes_to_stderr_as_logfmt_and_not_between_its_output() -> None:
    code = """
import click, logging, structlog
from infra import cli
from infra.context import settings_of

@click.command()
@click.pass_context
def saying(context):
    settings_of(context)
    structlog.get_logger("infra.saying").info("said", by="us")
    logging.getLogger("library").warning("said")
    click.echo("output")

cli.LazyGroup.get_command = lambda *_: saying
cli.main(["saying"])
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "output\n"
    assert [line.split(" ", 1)[1] for line in done.stderr.splitlines()] == [
        "level=info logger=infra.saying event=said by=us",
        "level=warning logger=library msg=said",
    ]


def test_an_unknown_command_is_wrong_usage() -> None:
    done = lambda360("fly")
    assert done.returncode == 2
    assert "No such command 'fly'" in done.stderr


def test_a_bad_setting_is_one_clear_line_and_exit_1() -> None:
    done = lambda360("stack", "status", LAMBDA360_STACK_PORT_BASE="eighty")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: LAMBDA360_STACK_PORT_BASE: 'eighty': ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (StackError("no"), 1),
        (UsageError("--map", "a=b", "no such column"), 2),
        (click.UsageError("no"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (SystemExit(7), 7),
    ],
)
def test_errors_become_exit_codes(monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda self, ctx, name: failing)
    with pytest.raises(SystemExit) as ended:
        cli.main(["failing"])
    assert ended.value.code == code


def test_reset_asks_first_and_deletes_nothing_when_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".lambda360-home").touch()
    done = lambda360("stack", "reset", LAMBDA360_HOME=str(home))
    assert done.returncode != 0
    assert home.exists()
    assert lambda360("stack", "reset", "--yes", LAMBDA360_HOME=str(home)).returncode == 0
    assert not home.exists()


def test_status_of_a_stopped_stack_says_so_and_exits_1(tmp_path: Path) -> None:
    done = lambda360("stack", "status", LAMBDA360_HOME=str(tmp_path / "none"))
    assert done.returncode == 1
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["cassandra", "stopped"], ["kafka", "stopped"]]


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_seconds_that_no_clock_reaches_are_wrong_usage(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["speed", "wait", "--timeout", seconds]) == 2
    assert "--timeout" in capsys.readouterr().err
