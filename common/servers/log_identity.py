"""The log's identity: its topic's id and partition count, recorded once, and compared whenever they are seen (R1)."""

from dataclasses import dataclass

from cassandra.cluster import Session

from common.errors import LogError
from common.tables import Tables


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """A topic as Kafka describes it."""

    topic: str
    topic_id: str
    partitions: int


def record(session: Session, found: LogIdentity) -> LogIdentity:
    """Returns the identity on record, and records `found` if there was none. Idempotent.

    Raises LogError if the two differ.
    """
    session.execute(
        f"INSERT INTO {Tables.log_identity} (topic, topic_id, partitions) VALUES (%s, %s, %s) IF NOT EXISTS",
        (found.topic, found.topic_id, found.partitions),
    )
    return check(session, found)


def check(session: Session, found: LogIdentity) -> LogIdentity:
    """Returns the identity on record. Raises LogError if there is none, or if `found` is another log."""
    recorded = find(session, found.topic)
    if recorded is None:
        raise LogError(f"topic {found.topic!r} was never recorded; `lambda360 schema apply` records it")
    return compare(recorded, found)


def find(session: Session, topic: str) -> LogIdentity | None:
    """Returns the identity on record; None without one."""
    select = f"SELECT topic_id, partitions FROM {Tables.log_identity} WHERE topic = %s"
    row = session.execute(select, (topic,)).one()
    return LogIdentity(topic, row.topic_id, row.partitions) if row else None


def compare(recorded: LogIdentity, found: LogIdentity) -> LogIdentity:
    """Returns `recorded` if `found` is the same log. Raises LogError, which stops both layers, if it is not."""
    if recorded == found:
        return recorded
    raise LogError(
        f"topic {found.topic!r} is not the log this system was built on: recorded id {recorded.topic_id} with "
        f"{recorded.partitions} partitions, found id {found.topic_id} with {found.partitions}. Every stored offset "
        "belongs to the old log, so nothing was read or written. Bring the old topic back, or start a new system: "
        "`lambda360 stack reset` empties a local one"
    )
