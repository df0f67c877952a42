"""The keyspace of a deployment."""

from cassandra.cluster import Session
from cassandra.protocol import ConfigurationException

from common.errors import SettingsError
from common.settings import Settings
from infra.schema import ddl


def statement(settings: Settings) -> str:
    wanted = settings.cassandra
    replicas = f"'{wanted.datacenter}': {wanted.replication_factor}"
    return (
        f"CREATE KEYSPACE IF NOT EXISTS {wanted.keyspace} "
        f"WITH replication = {{'class': 'NetworkTopologyStrategy', {replicas}}}"
    )


def exists(session: Session, settings: Settings) -> bool:
    select = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s"
    return session.execute(select, (settings.cassandra.keyspace,)).one() is not None


def make(session: Session, settings: Settings) -> None:
    """The keyspace exists, and is the session's. Raises SettingsError if no such data centre exists."""
    try:
        ddl.execute(session, statement(settings))
    except ConfigurationException as error:
        variable = "LAMBDA360_CASSANDRA_DATACENTER"
        raise SettingsError(variable, settings.cassandra.datacenter, str(error)) from error
    session.set_keyspace(settings.cassandra.keyspace)
