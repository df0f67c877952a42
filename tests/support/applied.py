"""A speed layer without a worker: the core's own decisions and statements, over the log as it is now."""

import time
from collections.abc import Iterable

from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType

from common.log.events import validation_version
from common.log.normalizing import Rules
from common.servers.kafka import end_offsets
from common.settings import Settings
from common.tables import FIRST_GENERATION, Tables
from infra.proof.log_reader import LogReader
from infra.proof.oracle import RawRecord
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.decide import Applied, mutations
from speed_layer.apply.known import Known
from speed_layer.store.statements import Statements
from tests.support.speed_fakes import placed


def apply_log(settings: Settings, session: Session, partitions: int = 4) -> None:
    """The speed layer has applied every record that is in the log, and has just said so."""
    write(settings, session, LogReader(settings, partitions).refresh(), partitions)
    progress(settings, session, partitions)


def write(settings: Settings, session: Session, records: Iterable[RawRecord], partitions: int = 4) -> None:
    """The facts, deltas and alerts of these records, decided from nothing."""
    statements = Statements(session, Tables(FIRST_GENERATION), settings.speed.delta_ttl_days * 86_400)
    alerts = AlertSettings(settings.speed.large_refund_cents)
    for customer, members in placed(records, partitions).items():
        for mutation in mutations(members, Known(), alerts, Applied()):
            batch = BatchStatement(BatchType.UNLOGGED)
            for statement in statements.of(customer, mutation)[0]:
                batch.add(statement)
            session.execute(batch)


def progress(
    settings: Settings,
    session: Session,
    partitions: int = 4,
    *,
    from_offset: int = 0,
    version: str = "",
    beat_at: int | None = None,
) -> None:
    """Each partition's row says that the log's end is applied."""
    ends = end_offsets(settings, partitions)
    now = time.time_ns() // 1000 if beat_at is None else beat_at
    version = version or validation_version(Rules(settings.log.currency))
    for partition, end in ends.items():
        session.execute(
            f"INSERT INTO {Tables.progress} (generation, kafka_partition, from_offset, next_offset, end_offset, "
            "validation_version, beat_at, caught_up_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) USING TIMESTAMP %s",
            (FIRST_GENERATION, partition, from_offset, end, end, version, now, now, now),
        )
