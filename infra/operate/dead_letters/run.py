"""A replay on real servers: the log is the one on record, every erasure in it is known, then letter by letter."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from common.errors import NotApplied
from common.log.dead_letters import Address, Letter
from common.log.normalizing import Rules
from common.servers import kafka, log_identity
from common.settings import Settings
from common.waiting import wait
from infra.operate.dead_letters.interrupts import held
from infra.operate.dead_letters.judge import Refused
from infra.operate.dead_letters.log import Servers
from infra.operate.dead_letters.replay import Replay, Summary
from infra.operate.dead_letters.selection import Selection
from infra.operate.dead_letters.table import OperatorTable

CONNECT_SECONDS: Final = 5.0


class Reports(NamedTuple):
    """Where a replay tells what it does: the summary grows as it goes."""

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
    """The chosen letters are appended or refused; the summary says how far it came, whatever ends it.

    Raises UsageError for an unknown id, Unavailable if a server does not answer, LogError if the log is another one,
    and NotApplied if the speed layer does not apply its end in time. Nothing was appended then, unless a server was
    lost in between.
    """
    identity = log_identity.check(
        table.session, kafka.topic_identity(settings, settings.log.topic, timeout_seconds=CONNECT_SECONDS)
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
    """The chosen letters, each read when it is its turn."""
    if not chosen.ids:
        yield from table.letters(chosen.wanted, with_values=True)
    for address in addresses:
        letter = table.letter(address)
        if letter is not None:
            yield letter


def _wait_for_erasures(settings: Settings, table: OperatorTable, partitions: int, timeout: float) -> None:
    """The speed layer has applied the log's end, as of now. Raises NotApplied if it has not, in time."""
    ends = kafka.end_offsets(settings, partitions)
    try:
        wait(
            table.session,
            settings,
            ends,
            timeout=timeout,
            clock=lambda: time.time_ns() // 1000,
            report=lambda missing, total: None,
        )
    except NotApplied as error:
        text = f"nothing was appended: an erasure that is not applied yet could not be seen. The log is {error}"
        raise NotApplied(text) from error
