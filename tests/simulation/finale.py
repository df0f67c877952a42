"""What must hold in the end: rows, topics, dead letters, alerts and counts, against a second reading of the log."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from common.algebra.alerts import Alert, CustomerAtRisk, LargeRefund, TicketEvidence
from common.algebra.dates import day_of
from common.algebra.facts import Delta, Image
from common.algebra.versions import logic_version
from common.log.copies import Copy, alert_event, delta_event
from common.log.dead_letters import Address
from common.log.partition import partition_of
from common.log.position import Position
from infra.proof.oracle import Entry, Oracle, metrics
from tests.simulation.cql import compiled
from tests.simulation.judge import PAIRS
from tests.simulation.process import SETTINGS, TTL_SECONDS
from tests.simulation.replicas import merged, rows
from tests.simulation.scenery import PARTITIONS
from tests.simulation.wrong import Wrong
from tests.support.deltas import changed

if TYPE_CHECKING:
    from tests.simulation.world import World


class Demanded(NamedTuple):
    """What the log demands: a copy of each change, and whether a later erasure has taken its row away."""

    copy: Copy
    erased: bool


def check(world: "World") -> None:
    """Raises Wrong."""
    spoilt = world.tampering.customers | world.losses.customers
    demanded = [each for each in demands(world) if each.copy.customer_id not in spoilt]
    _check_rows(world, demanded)
    _check_topics(world, demanded)
    _check_letters(world)
    for worker in world.group.workers:
        counts = worker.core.worker.counts
        if not worker.applying and counts["received"] != sum(counts.values()) - counts["received"]:
            raise Wrong(f"{worker.name} counts {dict(counts)}")


def demands(world: "World") -> Iterator[Demanded]:
    """Each change that the log makes, by R4 said once more."""
    current: dict[str, dict[tuple[str, str], Image]] = {}
    last_reset = {event.customer_id: offset for (_, offset), event in sorted(world.events.items()) if event.is_erasure}
    for record in world.log.records:
        position = Position(record.partition, record.offset)
        event = world.events.get(position)
        if event is None:
            continue
        facts = current.setdefault(event.customer_id, {})
        key, image = (event.kind, event.entity_id), event.image
        before = facts.get(key)
        alerts: tuple[Alert, ...] = ()
        if image is None:
            facts.clear()
            delta = Delta.reset(record.appended_at, event.origin)
        elif before is None or (image != before and image.rank >= before.rank):
            facts[key] = image
            delta = changed(event.entity_id, before, image, record.appended_at, event.origin)
            alerts = tuple(_alerts(world.judge.oracle, event.customer_id, position, before is None))
        else:
            continue
        erased = record.offset < last_reset.get(event.customer_id, -1)
        yield Demanded(Copy(position, event.customer_id, delta, alerts), erased)


def _alerts(oracle: Oracle, customer: str, position: Position, new: bool) -> Iterator[Alert]:
    """The alerts of a new entity, from the oracle's facts and metrics."""
    facts = oracle.current(customer, {position.partition: position.offset + 1})
    own = next(fact for fact in facts if fact.offset == position.offset)
    if not new or own.retracted:
        return
    if own.kind == "refund" and own.fields["amount"] * 100 >= SETTINGS.speed.large_refund_cents:
        cents, at = int(own.fields["amount"] * 100), _micros(own, "refunded_at")
        yield LargeRefund(at, own.entity_id, own.fields["order_id"], cents, SETTINGS.speed.large_refund_cents)
    if own.kind == "support_ticket":
        day = own.fields["created_date"].day
        found = metrics(facts, day)
        if found["at_risk"]:
            tickets = [fact for fact in facts if fact.kind == "support_ticket" and not fact.retracted]
            counted = [t for t in tickets if 0 <= (day - t.fields["created_date"].day).days <= 30]
            evidence = [
                TicketEvidence(t.entity_id, day_of(t.fields["created_date"].day), t.fields["priority"]) for t in counted
            ]
            evidence.sort(key=lambda ticket: (-ticket.day, ticket.ticket_id))
            sums = found["tickets_30d"], found["high_priority_tickets_30d"]
            at = _micros(own, "created_date")
            yield CustomerAtRisk(at, own.entity_id, "proactive_outreach", found["risk_reason"], *sums, tuple(evidence))


def _micros(entry: Entry, field: str) -> int:
    when = entry.fields[field].at
    return int(when.timestamp()) * 1_000_000 + int(when.microsecond)


def _check_topics(world: "World", demanded: list[Demanded]) -> None:
    """Every copy is there, but for rows that were erased or expired first; each is what the row says."""
    topics: dict[str, dict[str, bytes]] = {}
    spoilt = world.tampering.customers | world.losses.customers
    for message in world.copied:
        if message.topic != SETTINGS.log.errors_topic and (message.key or b"").decode() in spoilt:
            continue
        topic = topics.setdefault(message.topic, {})
        name = _id(message.value)
        if topic.setdefault(name, message.value) != message.value:
            raise Wrong(f"{message.topic} {name} was published as {topic[name]!r} and {message.value!r}")
    errors = set(topics.get(SETTINGS.log.errors_topic, {}))
    rejected = [Position(record.partition, record.offset) for record, _ in world.judge.oracle.rejected]
    needed = {str(position) for position in rejected if not world.losses.needs_no_copy(position)}
    if not needed <= errors <= set(map(str, rejected)):
        raise Wrong(f"the errors topic holds {sorted(errors)}, wanted were {rejected}")
    deltas = [(each, delta_event(each.copy, logic_version())) for each in demanded]
    alerts = [(each, alert_event(each.copy, alert)) for each in demanded for alert in each.copy.alerts]
    _check_topic(world, topics.get(SETTINGS.log.deltas_topic, {}), deltas)
    _check_topic(world, topics.get(SETTINGS.log.alerts_topic, {}), alerts)


def _check_topic(world: "World", found: dict[str, bytes], demanded: list[tuple[Demanded, bytes]]) -> None:
    gone = world.loop.now - TTL_SECONDS * 1_000_000
    wanted = {_id(body): body for _, body in demanded}
    for name, body in found.items():
        if wanted.get(name) != body:
            raise Wrong(f"published was {body!r}, wanted {wanted.get(name)!r}")
    for each, body in demanded:
        if _id(body) not in found:
            needed = not each.erased and not world.losses.needs_no_copy(each.copy.position)
            if needed and each.copy.delta.appended_at > gone:
                raise Wrong(f"never published: {body!r}")
            world.count("copy of a row that was gone")


def _check_letters(world: "World") -> None:
    """Every rejected record's row is there, with its bytes, on any two replicas."""
    for record, reason in world.judge.oracle.rejected:
        if Position(record.partition, record.offset) in world.losses.lost:
            continue
        row = Address.of(Position(record.partition, record.offset), record.appended_at)
        partition, offset = row.position
        for one, other in PAIRS:
            parts = (world.replicas[name].held("dead_letters", (row.day, partition)) for name in (one, other))
            cells = merged(*parts).cells
            value = cells.get(((offset,), "value"))
            if ((offset,), f"rejections[{row.position}]") not in cells or (value and value.value) != record.value:
                raise Wrong(f"no dead letter, or another one, for {record} ({reason})")


def _id(body: bytes) -> str:
    start = body.index(b'"id":') + 5
    return body[start:].split(b'"', 2)[1].decode()


def _check_rows(world: "World", demanded: list[Demanded]) -> None:
    """Deltas and alerts, as any two replicas give them."""

    def is_needed(position: Position) -> bool:
        return not world.losses.needs_no_copy(position)

    select = compiled("SELECT kafka_offset, rule, value FROM customer_alerts WHERE customer_id = ?")
    for customer in world.judge.oracle.mentioned:
        if customer in world.tampering.customers | world.losses.customers:
            continue
        wanted = sorted(
            (each.copy.position.offset, type(alert).__struct_config__.tag)
            for each in demanded
            if each.copy.customer_id == customer and not each.erased and is_needed(each.copy.position)
            for alert in each.copy.alerts
        )
        query = select((customer,))
        for one, other in PAIRS:
            part = merged(world.replicas[one].part(query, customer), world.replicas[other].part(query, customer))  # type: ignore[arg-type] # a select
            given = [(offset, rule) for offset, rule, _ in rows(query, customer, part, world.loop.now)]  # type: ignore[arg-type] # a select
            found = [each for each in given if is_needed(Position(partition_of(customer, PARTITIONS), each[0]))]
            if found != wanted:
                raise Wrong(f"{customer}'s alerts are {found}, wanted were {wanted}")
