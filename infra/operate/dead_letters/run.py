"""A replay on real servers.

1. Check that the log is the one on record.
2. Wait until the speed layer has applied every erasure in it.
3. Append or refuse the letters.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from common.errors import NotApplied
from common.log.dead_letters import Address, Letter
from common.log.normalizing import Rules
from common.servers import kafka, log_identity
from common.settings import Settings
from common.waiting import wait
from infra.context import clock
from infra.operate.dead_letters.interrupts import held
from infra.operate.dead_letters.judge import Refused
from infra.operate.dead_letters.log import Servers
from infra.operate.dead_letters.replay import Replay, Summary
from infra.operate.dead_letters.selection import Selection
from infra.operate.dead_letters.table import OperatorTable


class Reports(NamedTuple):
    """Where a replay reports: `summary` is updated, `refused` and `done` are called."""

    summary: Summary
    refused: Callable[[Refused], None]
    done: Callable[[int], None]


def run(
    settings: Settings,
    table: OperatorTable,
    chosen: Selection,
    timeout: float,
    report: Reports,
) -> None:
    """Appends or refuses each chosen letter. `report.summary` is up to date after every end, also after an error.

    Raises UsageError for an unknown id, LogError if the log is not the one on record, and NotApplied if the speed layer
    does not apply the log's end within `timeout` seconds. Nothing was appended then. Raises Unavailable if a server
    does not answer, and LogError if Kafka does not take a record. Letters may have been appended by then.
    """
    identity = log_identity.check(
        table.session, kafka.topic_identity(settings, settings.log.topic, timeout_seconds=kafka.CONNECT_SECONDS)
    )
    addresses = table.addresses(chosen.ids)
    if next(_letters(table, chosen, addresses), None) is None:
        return
    _wait_for_erasures(settings, table, identity.partitions, timeout)
    replay = Replay(
        Servers(settings, table.session, table),
        Rules(settings.log.currency),
        identity.partitions,
        by_id=bool(chosen.ids),
        say=report.refused,
        on_chunk=report.done,
        uninterrupted=held,
    )
    replay.run(_letters(table, chosen, addresses), report.summary)


def _letters(table: OperatorTable, chosen: Selection, addresses: Sequence[Address]) -> Iterator[Letter]:
    """Yields the chosen letters, read as they are needed."""
    if not chosen.ids:
        yield from table.letters(chosen.wanted, with_values=True)
    for address in addresses:
        letter = table.letter(address)
        if letter is not None:
            yield letter


def _wait_for_erasures(settings: Settings, table: OperatorTable, partitions: int, timeout: float) -> None:
    """Waits until the speed layer has applied the log's present end. Raises NotApplied after `timeout` seconds."""
    ends = kafka.end_offsets(settings, partitions)
    try:
        wait(
            table.session,
            ends,
            timeout=timeout,
            clock=clock,
            report=lambda missing, total: None,
        )
    except NotApplied as error:
        text = f"nothing was appended: an erasure that is not applied yet could not be seen. The log is {error}"
        raise NotApplied(text) from error
