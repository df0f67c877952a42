"""The servers and systems that tests run on: `stack` once for a run, `system` fresh for each test.

Both come as `Settings`. `environment_of(settings)` hands them to a child process. Stop, kill or restart a server
through `stack`, whose home holds the servers; `system` lives on the same servers with a home of its own.
"""

import os
import random
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.settings import PREFIX, CassandraSettings, LogSettings, Settings, StackSettings
from infra.local.stack import guard, ports, servers
from infra.schema import apply as schema


def pytest_configure(config: pytest.Config) -> None:
    """No setting of the developer's own shell reaches a test."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a server is marked `stack`: `pytest -m "not stack"` is the quick half."""
    for item in items:
        if {"stack", "scratch"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("stack")


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for homes, whose servers are gone after the run, even if the run is killed."""
    folder = Path(tempfile.mkdtemp(prefix="lambda360-tests-"))
    watcher = guard.set_on(folder)
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


def patient_stack() -> StackSettings:
    """Ports that nobody uses, and time enough for a machine that has other work."""
    return StackSettings(port_base=free_ports(), start_timeout_seconds=300)


def new_system(stack: Settings, *, partitions: int = 4) -> Settings:
    """Another system on the same servers, its tables and topics made; its data goes with the servers'."""
    name = uuid.uuid4().hex[:10]
    settings = stack.model_copy(
        update={
            "home": stack.home.parent / f"system-{name}",
            "cassandra": CassandraSettings(keyspace=f"t_{name}"),
            "log": LogSettings(
                topic=f"customer_events_{name}",
                errors_topic=f"processing_errors_{name}",
                deltas_topic=f"customer_deltas_{name}",
                alerts_topic=f"customer_alerts_{name}",
                group=f"lambda360-speed-{name}",
                partitions=partitions,
            ),
            "speed": stack.speed.model_copy(update={"large_refund_cents": 5_000, "breaker_recovery_seconds": 2.0}),
        }
    )
    settings.home.mkdir()
    schema.apply(settings)
    return settings


def free_ports() -> int:
    """The first of six free ports, below those that the kernel gives to clients."""
    for _ in range(100):
        base = random.randrange(20_000, 32_000, 6)
        if all(ports.is_free(port) for port in range(base, base + 6)):
            return base
    raise RuntimeError("no six consecutive ports are free between 20000 and 32000")
