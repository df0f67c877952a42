"""`lambda360 speed rebuild` and `declare-sent`: what they ask, and what they refuse beforehand (R15)."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from batch_layer.rebuild.build import Counts
from batch_layer.rebuild.run import Rebuilt
from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.errors import UsageError
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.rebuilding import lines_of


def asked(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(lambda360, ["speed", *words], obj=Settings(), standalone_mode=False, input=answer)


@pytest.fixture(autouse=True)
def without_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr("common.servers.cassandra.connected", away)


def test_a_loss_is_accepted_with_a_reason_only() -> None:
    result = asked("rebuild", "--accept-loss", "0:5:9", "--yes")

    assert "--accept-loss needs a --reason" in str(result.exception)


def test_workers_skip_records_with_a_reason_and_after_a_question_only() -> None:
    without = asked("rebuild", "--at-batch", "--yes")
    refused = asked("rebuild", "--at-batch", "--reason", "r", answer="n\n")

    assert "--at-batch needs a --reason" in str(without.exception)
    assert "Skip what workers have not applied below the batch's cut? Its copies are never published" in refused.output
    assert refused.exception is not None
    assert not isinstance(refused.exception, AssertionError)


def test_a_loss_is_accepted_after_a_question_that_names_erasures() -> None:
    result = asked("rebuild", "--accept-loss", "0:5:9", "--accept-loss", "1:2:3", "--reason", "r", answer="n\n")

    assert "Give up the records 0:5:9, 1:2:3 for good? They may hold erasures" in result.output
    assert result.exception is not None
    assert not isinstance(result.exception, AssertionError)


@pytest.mark.parametrize("words", [("rebuild", "--reason", "r", "--accept-loss"), ("declare-sent",)])
def test_a_range_that_is_none_is_wrong_usage(words: tuple[str, ...]) -> None:
    result = asked(*words, "0:9:5")

    assert isinstance(result.exception, UsageError)
    assert "FROM below TO" in str(result.exception)


def test_the_end_of_a_rebuild_names_what_nobody_published() -> None:
    done = Rebuilt(
        generation=3, left=1, counts=Counts(10, 2, 12), resumes=Cut.zero(), unpublished=[Range(2, 5, 9)], letters=2
    )

    served, kept, unpublished, letters = lines_of(done)

    assert "generation 3 of the speed tables is served: 10 records, 12 rows" in served
    assert "generation 1 are kept" in kept
    assert "partition 2: no worker applied the records 5 to 8" in unpublished
    assert "2 of them are dead letters" in letters
