"""The ports of a replay on Kafka and Cassandra: appends records, and reads the erasures that were applied."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from cassandra.cluster import Session
from confluent_kafka import KafkaError, KafkaException, Message

from common.algebra.facts import decode_delta
from common.log.dead_letters import HEADER
from common.log.position import Position
from common.servers import pointer_row
from common.servers.kafka import MAX_BYTES
from common.servers.producer import producer, undelivered
from common.settings import Settings
from common.tables import Tables
from infra.operate.dead_letters.judge import Erasure, Ready, Refused
from infra.operate.dead_letters.replay import Appended, Sent
from infra.operate.dead_letters.table import OperatorTable, translated_errors

TIMEOUT_MS: Final = 30_000
"""How long the client retries one record before it reports a failure."""
TOO_LARGE: Final = KafkaError.MSG_SIZE_TOO_LARGE


class Servers:
    """The `Ports` of a replay."""

    def __init__(self, settings: Settings, session: Session, table: OperatorTable) -> None:
        self._topic = settings.log.topic
        self._session = session
        self._table = table
        self._producer = producer(settings, **{"message.timeout.ms": TIMEOUT_MS, "message.max.bytes": MAX_BYTES})

    def erasures(self, customers: Collection[str]) -> Mapping[str, Erasure]:
        """Returns the last applied erasure of each customer that has one. Raises StoreUnavailable."""
        with translated_errors():
            tables = Tables(pointer_row.read(self._session).generation)
            marker = (
                f"SELECT customer_id, value FROM {tables.facts} WHERE customer_id IN ? AND kind = '' AND entity_id = ''"
            )
            rows = self._session.execute(self._session.prepare(marker), (sorted(customers),))
            return {row.customer_id: self._erasure(tables, row.customer_id, int(row.value)) for row in rows}

    def append(self, ready: Sequence[Ready]) -> Sent:
        """Appends each record to its customer's partition, and returns the outcome of each after the last answer.

        Failures to append are returned, not raised.
        """
        appended: list[Appended] = []
        refused: list[Refused] = []
        failures: list[KafkaError] = []
        for each in ready:
            self._produce(each, appended, refused, failures)
        while self._producer.flush(0.5):
            pass
        if not failures:
            return Sent(appended, refused)
        text = (
            f"Kafka did not acknowledge a record: {failures[0].str()}. What it acknowledged is marked as replayed, and "
            "is not appended twice: run the same command again for the rest"
        )
        return Sent(appended, refused, undelivered(failures[0], text))

    def mark_replayed(self, appended: Sequence[Appended]) -> None:
        """Marks the letters in the table: see `OperatorTable.mark_replayed`."""
        self._table.mark_replayed(appended)

    def _produce(
        self, ready: Ready, appended: list[Appended], refused: list[Refused], failures: list[KafkaError]
    ) -> None:
        letter = ready.letter

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                at = message.timestamp()[1] * 1000
                appended.append(Appended(letter.address, Position(ready.partition, message.offset() or 0), at))
            elif error.code() == TOO_LARGE:
                refused.append(_too_large(ready, error))
            else:
                failures.append(error)

        try:
            self._producer.produce(
                self._topic,
                letter.value,
                letter.key,
                ready.partition,
                on_delivery=delivered,
                headers=[(HEADER, str(letter.address).encode())],
            )
        except KafkaException as error:
            if error.args[0].code() == TOO_LARGE:
                refused.append(_too_large(ready, error.args[0]))
            else:
                failures.append(error.args[0])
        except BufferError as error:
            failures.append(KafkaError(KafkaError._QUEUE_FULL, str(error)))  # noqa: SLF001 # the client's name

    def _erasure(self, tables: Tables, customer_id: str, offset: int) -> Erasure:
        """Returns the erasure with the append time of its delta.

        Without a delta the time is the largest one, so that every record of another partition counts as erased.
        """
        select = f"SELECT value FROM {tables.deltas} WHERE customer_id = ? AND kafka_offset = ?"
        row = self._session.execute(self._session.prepare(select), (customer_id, offset)).one()
        return Erasure(offset, decode_delta(row.value).appended_at if row else 2**63)


def _too_large(ready: Ready, error: KafkaError) -> Refused:
    return Refused(ready.letter.address, "value", f"{ready.letter.value_bytes} bytes", f"Kafka's limit: {error.str()}")
