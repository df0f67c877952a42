"""Batch runs that die: in this process after a step, and in one of their own by SIGKILL."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Final

from common.settings import PREFIX, Settings, environment_of
from infra.paths import ROOT

DYING_SECONDS: Final = 800.0


class Died(BaseException):
    """Ends a run as a kill would: nothing in it catches this, and nothing of it runs any more."""


def dying_after(step: str) -> Callable[[str], None]:
    """What a job is told to do at each step: it dies once `step` is done."""

    def at(done: str) -> None:
        if done == step:
            raise Died

    return at


def program(script: str) -> list[str]:
    """The command that runs `script` in a process of its own."""
    return [sys.executable, "-c", script]


def environment(settings: Settings) -> Mapping[str, str]:
    """This process's environment with that system's settings, and no others of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)} | environment_of(settings)


def killed(settings: Settings, script: str) -> None:
    """`script` ran in a process of its own, which SIGKILL ended."""
    command, environ = program(script), environment(settings)
    ended = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=False, timeout=DYING_SECONDS)
    assert ended.returncode == -9, ended.stderr.decode()[-2000:]
