"""The API keeps what its OpenAPI document promises: schemathesis asks a running server, whatever routes it has.

Streams are left out: they do not end.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.guarded import process

PROGRAM: Final = Path(sys.executable).parent / "schemathesis"
STREAMS: Final = "/deltas$"
CONFIGURATION: Final = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""
"""A 422 is right for what a JSON Schema cannot rule out: a day after today, a range that is too long."""


def checked(url: str, folder: Path, *options: str, seconds: float) -> str:
    """What schemathesis says of the API. Raises AssertionError with it if anything is wrong."""
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    command = [
        str(PROGRAM), "--config-file", str(configuration), "run", f"{url}/openapi.json",
        "--exclude-path-regex", STREAMS, "--generation-deterministic", "--no-color", *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def figures(said: str) -> str:
    """Operations, cases and failures, in one line."""
    wanted = re.findall(r"Selected: .*|Tested: .*|[0-9,]+ generated.*", said)
    return " · ".join(line.strip() for line in wanted)


def test_the_api_keeps_what_its_document_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with process({}) as server:
        said = checked(
            server.url, tmp_path, "--max-examples", "5", "--phases", "examples,coverage,fuzzing", seconds=250
        )
    with capsys.disabled():
        print(f"\n{figures(said)}")  # noqa: T201 # the figure of issue 13


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_api_keeps_it_for_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with process({}) as server:
        said = checked(server.url, tmp_path, "--max-examples", "500", seconds=1100)
    with capsys.disabled():
        print(f"\n{figures(said)}")  # noqa: T201 # likewise
