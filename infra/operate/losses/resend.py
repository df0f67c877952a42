"""Appends to the log again what the speed tables hold of a lost range (R15)."""

from collections.abc import Sequence
from typing import Final

from common.errors import RejectedRecord
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.settings import Settings
from infra.operate.losses.records import Held, record_of
from infra.sending import Sender

AGAIN: Final = "nothing was accepted as lost; run the same command again"


def resend(settings: Settings, facts: Sequence[Held], partitions: int, now: int) -> list[tuple[Held, RejectedRecord]]:
    """Appends a record for each fact, in their order, and returns those that no record of this release can say.

    All others are acknowledged at the return. Run again, it appends them again, which changes no answer. Raises
    LogUnavailable or LogError if Kafka does not take one.
    """
    sender = Sender(settings, AGAIN)
    rules = Rules(settings.log.currency)
    unsaid: list[tuple[Held, RejectedRecord]] = []
    for held in facts:
        try:
            value = record_of(held, partitions, rules, now)
        except RejectedRecord as error:
            unsaid.append((held, error))
        else:
            sender.send(held.customer_id.encode(), value, partition_of(held.customer_id, partitions))
    sender.finish()
    return unsaid
