"""Tables and topics of one deployment, on any cluster that the settings name; every call may be repeated."""

import re
from importlib.resources import files
from typing import Final

from cassandra.cluster import Session
from cassandra.protocol import ConfigurationException

from common.errors import SettingsError, StoreUnavailable
from common.servers import log_identity
from common.servers.cassandra import UNAVAILABLE, connected
from common.servers.kafka import topic_identity
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from common.tables import Tables
from infra.context import Report, quiet
from infra.schema import topics

_KEYSPACE: Final = (
    "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
    "{{'class': 'NetworkTopologyStrategy', '{datacenter}': {replicas}}}"
)


def apply(settings: Settings, report: Report = quiet) -> None:
    """The keyspace, its tables and the topics exist, and the log is the one on record (R1).

    Raises LogError, before anything is made in Kafka, where the log on record is gone or is another one;
    Unavailable where Cassandra or Kafka does not answer.
    """
    with connected(settings, keyspace=False) as session:
        try:
            _make_tables(session, settings)
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"Cassandra did not make the tables: {error}") from error
        topics.apply(settings, on_record=_on_record(session, settings))
        found = log_identity.record(session, topic_identity(settings, settings.log.topic))
    made = f"keyspace {settings.cassandra.keyspace}, topic {found.topic} with {found.partitions} partitions"
    report(f"schema: {made} (id {found.topic_id})")


def statements() -> list[str]:
    """The tables' statements, in order, without their comments."""
    text = files("infra.schema").joinpath("tables.cql").read_text(encoding="utf-8")
    bare = "\n".join(line.partition("--")[0].rstrip() for line in text.splitlines())
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def tables() -> frozenset[str]:
    """The names of all tables."""
    return frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "\n".join(statements())))


def _make_tables(session: Session, settings: Settings) -> None:
    wanted = settings.cassandra
    try:
        session.execute(
            _KEYSPACE.format(keyspace=wanted.keyspace, datacenter=wanted.datacenter, replicas=wanted.replication_factor)
        )
    except ConfigurationException as error:
        raise SettingsError("LAMBDA360_CASSANDRA_DATACENTER", wanted.datacenter, str(error)) from error
    session.set_keyspace(wanted.keyspace)
    for statement in statements():
        session.execute(statement)


def _on_record(session: Session, settings: Settings) -> LogIdentity | None:
    row = session.execute(
        f"SELECT topic, topic_id, partitions FROM {Tables.log_identity} WHERE topic = %s", (settings.log.topic,)
    ).one()
    return LogIdentity(row.topic, row.topic_id, row.partitions) if row else None
