"""The servers and systems that tests run on: `stack` once for a run, `system` fresh for each test.

And how hard properties are searched: `HYPOTHESIS_PROFILE=thorough make test` searches forty times as long.

Both come as `Settings`. `environment_of(settings)` hands them to a child process. Stop, kill or restart a server
through `stack`, whose home holds the servers; `system` lives on the same servers with a home of its own.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as searched
from xdist.scheduler import LoadScopeScheduling

from common.settings import PREFIX, Settings
from infra.local.stack import servers
from tests.support import guard, logs
from tests.support.systems import new_system, patient_stack

if TYPE_CHECKING:
    from xdist.remote import Producer

_QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large)
searched.register_profile("fast", max_examples=50, deadline=None, suppress_health_check=_QUIET, derandomize=True)
searched.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=_QUIET)
searched.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
_NICENESS: Final = 5
_WITH_SERVERS: Final = ("tests/integration/", "tests/e2e/")
_LIVE: Final = ("ingest", "kafka_faults", "live", "notifications", "operation", "serving", "speed", "stack")
"""About half of what the tests with servers take, of the running system. The others are mostly of recomputation."""


def pytest_configure(config: pytest.Config) -> None:
    """No setting of the developer's own shell reaches a test, and what is logged is kept for the report."""
    logs.kept()
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a server is marked `stack`: `pytest -m "not stack"` is the quick half."""
    for item in items:
        if {"stack", "scratch"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("stack")


class TwoProcessesForServers(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """With `-n`, the tests with servers run in two processes, each with servers of its own, which it starts once.

    They mostly wait: two processes take little more than half the time of one. Any other test runs where it fits.
    Groups of xdist 3.8 do the same by a mark, which pytest 9 does not see.
    """

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith(_WITH_SERVERS):
            return nodeid
        module = PurePath(nodeid.partition("::")[0]).stem
        return "live" if module.removeprefix("test_") in _LIVE else "recomputed"


def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> TwoProcessesForServers:
    return TwoProcessesForServers(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """With `-n`, the tests without servers give way to the others, which wait for servers and for time-outs."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith(_WITH_SERVERS):
        os.nice(max(0, _NICENESS - os.nice(0)))


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for homes, whose servers are gone after the run, even if the run is killed."""
    folder = Path(tempfile.mkdtemp(prefix="lambda360-tests-"))
    watcher = guard.start(folder)
    try:
        yield folder
    finally:
        guard.clear(folder)
        watcher.kill()
        watcher.wait()


@pytest.fixture(scope="session")
def stack(scratch: Path) -> Settings:
    """A real Kafka and Cassandra on ports of their own, in a home of their own, without tables or topics."""
    settings = Settings(home=scratch / "stack", stack=patient_stack())
    servers.up(settings)
    return settings


@pytest.fixture
def system(stack: Settings) -> Iterator[Settings]:
    """A system nobody else sees: a keyspace, topics, a consumer group, a home and a warehouse of its own."""
    settings = new_system(stack)
    yield settings
    shutil.rmtree(settings.home, ignore_errors=True)
