"""`lambda360 speed run`: how a worker's end reaches the supervisor that started it."""

import os

import pytest
from click.testing import CliRunner, Result

from common.errors import LogError, LogUnavailable, StoreUnavailable
from common.settings import Settings
from infra.cli import lambda360


def ended_by(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Result:
    """What a supervisor's worker ends with that cannot begin because of `error`."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("common.logs.set_up", lambda stream: None)
    monkeypatch.setattr("infra.operate.workers.children.end_with", lambda parent: None)
    monkeypatch.setattr("speed_layer.run.run", fail)
    return CliRunner().invoke(lambda360, ["speed", "run", "--parent", "1"], obj=Settings(), standalone_mode=False)


@pytest.mark.parametrize("error", [StoreUnavailable("no node answers"), LogUnavailable("no broker answers")])
def test_a_worker_that_cannot_begin_because_a_server_is_away_asks_to_be_started_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """R14: whichever server it is; the supervisor tries for ever."""
    result = ended_by(error, monkeypatch)

    assert (result.return_value, result.output) == (os.EX_TEMPFAIL, f"error: {error}\n")


def test_a_worker_of_another_log_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """R1."""
    error = LogError("not the log")

    assert ended_by(error, monkeypatch).exception is error
