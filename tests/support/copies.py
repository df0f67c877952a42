"""What reached the topics of deltas and alerts, against the rows they are copies of (R14)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cassandra.cluster import Session

from common.algebra.alerts import decode_alert
from common.algebra.facts import decode_delta
from common.algebra.marks import MARK_OFFSET
from common.log.copy_events import AlertEvent, DeltaEvent, decode_alert_event, decode_delta_event
from common.log.partition import partition_of
from common.log.position import Position
from common.servers import pointer_row
from common.settings import Settings
from common.tables import Tables
from infra.proof.log_reader import LogReader
from infra.proof.oracle import RawRecord

Event = TypeVar("Event", DeltaEvent, AlertEvent)


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows stored, events in the topic, and what does not fit; `repeated` are events met again, which is allowed."""

    stored: int
    events: int
    repeated: int
    missing: tuple[str, ...]
    """Stored, and not in the topic."""
    different: tuple[str, ...]
    """In the topic with another content than stored, or twice with two contents, or in another partition."""
    unknown: tuple[str, ...]
    """In the topic and not stored, although no erasure took the row away."""

    @property
    def fits(self) -> bool:
        return not (self.missing or self.different or self.unknown)


def tally_deltas(settings: Settings, session: Session, partitions: int) -> Tally:
    """The deltas' topic against the deltas of the generation that is served."""
    tables = Tables(pointer_row.read(session).generation)
    rows = session.execute(f"SELECT customer_id, kafka_offset, value FROM {tables.deltas}")
    stored = {}
    for row in rows:
        if row.kafka_offset == MARK_OFFSET:  # a mark of accepted drift (R18) is no delta, and has no copy
            continue
        delta = decode_delta(row.value)
        said = delta.entity_id, delta.before, delta.after
        stored[str(Position(partition_of(row.customer_id, partitions), row.kafka_offset))] = said

    def content(event: DeltaEvent) -> object:
        return event.data.entity_id, event.data.before, event.data.after

    records = LogReader(settings, partitions, settings.log.deltas_topic).refresh()
    return _tally(session, stored, [(record, decode_delta_event(record.value or b"")) for record in records], content)


def tally_alerts(settings: Settings, session: Session, partitions: int) -> Tally:
    """The alerts' topic against `customer_alerts`."""
    rows = session.execute("SELECT customer_id, kafka_offset, rule, value FROM customer_alerts")
    stored = {
        f"{Position(partition_of(row.customer_id, partitions), row.kafka_offset)}:{row.rule}": decode_alert(row.value)
        for row in rows
    }

    def content(event: AlertEvent) -> object:
        return event.data.alert

    records = LogReader(settings, partitions, settings.log.alerts_topic).refresh()
    return _tally(session, stored, [(record, decode_alert_event(record.value or b"")) for record in records], content)


def _tally(
    session: Session,
    stored: Mapping[str, object],
    found: Sequence[tuple[RawRecord, Event]],
    content: Callable[[Event], object],
) -> Tally:
    events: dict[str, Event] = {}
    different = []
    for record, event in found:
        belongs = record.key == event.subject.encode() and record.partition == event.data.partition
        same = content(events.setdefault(event.id, event)) == content(event) == stored.get(event.id, content(event))
        if not (belongs and same):
            different.append(event.id)
    tables = Tables(pointer_row.read(session).generation)
    markers = session.execute(f"SELECT customer_id, value FROM {tables.facts} WHERE kind = '' ALLOW FILTERING")
    erased = {row.customer_id: int(row.value) for row in markers}
    gone = {id_: event for id_, event in events.items() if id_ not in stored}
    unknown = tuple(id_ for id_, event in gone.items() if event.data.offset >= erased.get(event.subject, 0))
    missing = tuple(sorted(stored.keys() - events.keys()))
    return Tally(len(stored), len(found), len(found) - len(events), missing, tuple(different), unknown)
