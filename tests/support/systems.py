"""Fresh systems on servers that tests share: ports, keyspaces, topics and homes of their own."""

import random
import uuid
from pathlib import Path
from typing import Final

from common.settings import CassandraSettings, LogSettings, Settings, StackSettings
from infra.local.stack import ports
from infra.schema import apply as schema


def patient_stack() -> StackSettings:
    """Ports that nobody uses, and time enough for a machine that has other work."""
    return StackSettings(port_base=free_ports(), start_timeout_seconds=300)


def new_system(stack: Settings, *, partitions: int = 4) -> Settings:
    """Another system on the same servers, its tables and topics made; its data goes with the servers'."""
    settings = bare_system(stack, partitions=partitions)
    schema.apply(patient(settings))
    return settings


def patient(settings: Settings) -> Settings:
    """The same system for a test's own statements: a machine that has other work makes Cassandra slow, not wrong."""
    cassandra = settings.cassandra.model_copy(update={"request_timeout_seconds": 60.0})
    return settings.model_copy(update={"cassandra": cassandra})


def bare_system(stack: Settings, *, partitions: int = 4) -> Settings:
    """Another system on the same servers, without tables and topics."""
    name = uuid.uuid4().hex[:10]
    home = stack.home.parent / f"system-{name}"
    home.mkdir()
    settings = stack.model_copy(
        update={
            "home": home,
            "cassandra": CassandraSettings(keyspace=f"t_{name}"),
            "log": LogSettings(
                topic=f"customer_events_{name}",
                errors_topic=f"processing_errors_{name}",
                deltas_topic=f"customer_deltas_{name}",
                alerts_topic=f"customer_alerts_{name}",
                group=f"lambda360-speed-{name}",
                partitions=partitions,
            ),
            "batch": stack.batch.model_copy(update={"niceness": 0}),  # several tests share the machine, as equals
            "speed": stack.speed.model_copy(update={"large_refund_cents": 5_000, "breaker_recovery_seconds": 2.0}),
        }
    )
    return with_few_rules(settings)


RULES: Final = """
rules:
- {name: field_removed, kind: shape, what: removed, severity: warn, says: a source no longer sends a field}
- name: rejected
  kind: row
  where: rejected_rule IS NOT NULL
  severity: warn
  says: validation rejects a record
"""
"""Random logs are full of what the release's rules stop a run for; and rules that join take time in every test."""


def few_rules(home: Path) -> str:
    """A file of rules for tests of something else: the gate does all that it does, and stops nothing."""
    path = home / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return str(path)


def with_few_rules(settings: Settings) -> Settings:
    """The same settings, with a file of few rules if they name none."""
    if settings.batch.rules_file:
        return settings
    batch = settings.batch.model_copy(update={"rules_file": few_rules(settings.home)})
    return settings.model_copy(update={"batch": batch})


def free_ports() -> int:
    """The first of six free ports, below those that the kernel gives to clients."""
    for _ in range(100):
        base = random.randrange(20_000, 32_000, 6)
        if all(ports.is_free(port) for port in range(base, base + 6)):
            return base
    raise RuntimeError("no six consecutive ports are free between 20000 and 32000")
