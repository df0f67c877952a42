"""Fixtures of tests with a webhook: an injected clock, a receiver that is up, and retries without pauses."""

from collections.abc import Iterator

import pytest
import stamina

from tests.support.webhook import Clock, Receiver, receiving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(clock, monkeypatch) as found:
        yield found


@pytest.fixture
def without_pauses() -> Iterator[None]:
    """Stamina's own way: as many attempts, and no pause between them."""
    with stamina.set_testing(True, attempts=4, cap=True):
        yield
