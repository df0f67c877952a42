"""Patience with Cassandra where a step of a batch waits for it: again and again, for a bounded time."""

import time
from collections.abc import Iterator

import pytest
import stamina
from cassandra import InvalidRequest, OperationTimedOut
from structlog.testing import capture_logs

from common.errors import StoreUnavailable
from common.servers.patience import patiently
from tests.support.logs import lines_of


@pytest.fixture
def unhurried() -> Iterator[None]:
    """Five attempts at the most, without pauses."""
    with stamina.set_testing(True, attempts=5):
        yield


class Store:
    """Fails so often, then answers; `asked` counts."""

    def __init__(self, failures: float) -> None:
        self.failures, self.asked = failures, 0

    def ask(self) -> str:
        self.asked += 1
        if self.asked <= self.failures:
            raise OperationTimedOut
        return "answered"


@pytest.mark.usefixtures("unhurried")
def test_a_store_that_does_not_answer_is_asked_again_until_it_does() -> None:
    store = Store(failures=4)

    assert patiently(store.ask, "reading the pointer") == "answered"
    assert store.asked == 5


@pytest.mark.usefixtures("unhurried")
def test_patience_ends_with_an_error_that_names_what_was_asked() -> None:
    store = Store(failures=float("inf"))

    with pytest.raises(StoreUnavailable, match=r"^reading the pointer: Cassandra did not answer for 60 s: ") as raised:
        patiently(store.ask, "reading the pointer")

    assert store.asked == 5
    assert isinstance(raised.value.__cause__, OperationTimedOut)


def test_patience_is_bounded_in_time() -> None:
    store, began = Store(failures=float("inf")), time.monotonic()

    with pytest.raises(StoreUnavailable, match=r"did not answer for 0\.25 s"):
        patiently(store.ask, "reading the pointer", patience_seconds=0.25)

    assert store.asked >= 2
    assert 0.25 <= time.monotonic() - began < 10


def test_the_pauses_grow_with_a_jitter_up_to_five_seconds_and_each_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    with capture_logs() as events:
        assert patiently(Store(failures=12).ask, "reading the pointer") == "answered"

    least = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + 6 * [5.0]
    assert all(low <= pause <= min(low + 0.5, 5.0) for low, pause in zip(least, pauses, strict=True))
    assert lines_of(events) == [
        f'event=unavailable server=cassandra action=retry pause_seconds={pause:.1f} error="errors=None, last_host=None"'
        for pause in pauses
    ]


@pytest.mark.usefixtures("unhurried")
def test_a_defect_is_raised_at_once() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise InvalidRequest("no such table")

    with pytest.raises(InvalidRequest):
        patiently(ask, "reading the pointer")
    assert asked == [1]
