"""The batch layer on real servers as a test holds it: what a reader of the current slot sees, and what it must see."""

from collections.abc import Iterable

from cassandra.cluster import Session

from batch_layer.view import publish
from common.algebra.cut import Cut
from common.algebra.pointer import Published
from common.servers.kafka import end_offsets, last_offsets
from common.servers.producer import producer
from common.settings import Settings
from infra.proof.log_reader import LogReader
from tests.support.builders import Message
from tests.support.harness import wait_until
from tests.support.jobs import Jobs
from tests.support.model import batch_rows


def produce(settings: Settings, messages: Iterable[Message], **overrides: str) -> None:
    """The messages are in the log, each alone in its transaction if `overrides` name one that is aborted."""
    client = producer(settings, **overrides)
    if overrides:
        client.init_transactions()
        client.begin_transaction()
    for message in messages:
        partition = -1 if message.partition is None else message.partition
        while True:
            try:
                client.produce(settings.log.topic, key=message.key, value=message.value, partition=partition)
                break
            except BufferError:  # the client's queue is full: wait for room
                client.poll(0.1)
    client.flush()
    if overrides:
        client.abort_transaction()
        # Kafka writes the markers behind its answer, and until then nothing behind the transaction can be read.
        partitions = settings.log.partitions
        wait_until(lambda: end_offsets(settings, partitions) == last_offsets(settings, partitions), 60, "it is aborted")


def served(jobs: Jobs) -> dict[str, str]:
    """What a reader of the current batch sees (R20): the slot's rows that carry its id."""
    current = publish.read(jobs.session).published
    assert current is not None
    return rows_of(jobs.session, current)


def rows_of(session: Session, batch: Published) -> dict[str, str]:
    """The texts of the batch's rows in its slot, by customer."""
    rows = session.execute(f"SELECT customer_id, batch_id, state FROM batch_view_{batch.slot}")
    return {row.customer_id: row.state for row in rows if row.batch_id == batch.batch_id}


def expected(settings: Settings, cut: Cut) -> dict[str, str]:
    """The pure fold of the log's committed records below the cut."""
    records = LogReader(settings, 4).refresh()
    return {customer: row.to_json() for customer, row in batch_rows(records, cut.offsets, 4).items()}
