"""Erasing a customer: the ledger's line, the journal's entry, and the record in the log (R1, R24)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cassandra.cluster import Session

from common.algebra.dates import datetime_of
from common.errors import RejectedRecord, UsageError
from common.log.encoding import encode_record
from common.log.entities import ErasureData
from common.log.events import parse
from common.log.mention import mentions
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.position import Position
from common.servers import journal, kafka, log_identity
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from infra.operate.erasure import ledger
from infra.operate.erasure.sending import send

SOURCE = "lambda360 erase"
"""The `source` of an erasure's record."""
Clock = Callable[[], int]
"""Returns microseconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An erasure that an operator asks for."""

    customer_id: str
    who: str
    reason: str = ""
    again_of: str | None = None
    """The ledger's entry that is applied again; None for a new erasure."""


class Eraser:
    """Erases customers of one deployment. Raises LogError if the topic is not the recorded log (R1)."""

    def __init__(self, settings: Settings, session: Session, clock: Clock) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        found = kafka.topic_identity(settings, settings.log.topic)
        self._identity = log_identity.check(session, found)

    @property
    def identity(self) -> LogIdentity:
        return self._identity

    @property
    def ledger(self) -> Path:
        return self._settings.erasure_ledger

    def check(self, customer_id: str, reason: str = "") -> None:
        """Raises UsageError if no record could name the customer, or if the reason names it."""
        self._record(customer_id, self._clock())
        if mentions(reason.encode(), customer_id):
            rule = "a reason that does not hold the customer's id: the journal keeps the reason for ever"
            raise UsageError("--reason", reason, rule)

    def erase(self, asked: Asked) -> Position:
        """Appends the erasure to the log, and returns its position; ledger and journal hold it then.

        The ledger's line comes first: if the process is killed, a restore still knows of an erasure that may be in the
        log. Run again, it appends another erasure, which also forgets what came in between. Raises LogUnavailable if it
        is not known whether the record was appended.
        """
        now = self._clock()
        value = self._record(asked.customer_id, now)
        entry = ledger.Entry(
            customer_id=asked.customer_id,
            at=datetime_of(now),
            who=asked.who,
            reason=asked.reason,
            topic_id=self._identity.topic_id,
            again_of=asked.again_of,
        )
        what = f"a customer; entry {entry.id} of the erasure ledger says which"
        noted = journal.Entry(at=now, who=asked.who, action="erase", what=what, reason=asked.reason)
        ledger.append(self.ledger, entry)
        journal.record(self._session, noted)
        partition = partition_of(asked.customer_id, self._identity.partitions)
        offset = send(self._settings, key=asked.customer_id.encode(), value=value, partition=partition)
        position = Position(partition, offset)
        ledger.append(self.ledger, msgspec.structs.replace(entry, position=str(position)))
        journal.done(self._session, msgspec.structs.replace(noted, what=f"{what}, at {position}"))
        return position

    def _record(self, customer_id: str, now: int) -> bytes:
        """Returns the record's value. Raises UsageError if validation would reject it."""
        value = encode_record(
            "customer",
            ErasureData(customer_id=customer_id),
            event_id=f"erasure:{uuid.uuid4()}",
            source=SOURCE,
            time=datetime_of(now).isoformat(),
        )
        partitions = self._identity.partitions
        rules = Rules(self._settings.log.currency)
        partition = partition_of(customer_id, partitions)
        try:
            parse(customer_id.encode(), value, partition, partitions, now, rules)
        except RejectedRecord as error:
            raise UsageError("CUSTOMER", customer_id, error.rule) from error
        return value
