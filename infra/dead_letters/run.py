"""A replay on real servers: the log is the one on record, every erasure in it is known, then letter by letter."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from common import kafka, log_identity
from common.dead_letters import Address, Letter
from common.errors import Lambda360Error
from common.events import Rules
from common.settings import Settings
from infra.dead_letters.judge import Refused
from infra.dead_letters.log import Servers
from infra.dead_letters.replay import Replay, Summary
from infra.dead_letters.selection import Selection
from infra.dead_letters.table import OperatorTable
from speed_layer.wait import NotApplied, wait

CONNECT_SECONDS: Final = 5.0


def run(
    settings: Settings,
    table: OperatorTable,
    chosen: Selection,
    timeout: float,
    say: Callable[[Refused], None],
    progress: Callable[[int], None],
) -> tuple[Summary, bool]:
    """What was done with the chosen letters, and whether it was interrupted.

    Raises UsageError for an unknown id, LogError or StoreUnavailable if a server is away, and Lambda360Error if the
    speed layer does not apply the log's end in time. Nothing was appended then, but for a server lost in between.
    """
    identity = log_identity.check(
        table.session, kafka.topic_identity(settings, settings.log.topic, timeout_seconds=CONNECT_SECONDS)
    )
    ids = chosen.ids
    letters = _named(table, table.addresses(ids)) if ids else table.letters(chosen.wanted, with_values=True)
    summary, first = Summary(), next(letters, None)
    if first is None:
        return summary, False
    _wait_for_erasures(settings, table, identity.partitions, timeout)
    servers = Servers(settings, table.session, table)
    rules = Rules(settings.log.currency)
    replay = Replay(servers, rules, identity.partitions, bool(ids), say, progress)
    try:
        replay.run(itertools.chain([first], letters), summary)
    except KeyboardInterrupt:
        return summary, True
    return summary, False


def _named(table: OperatorTable, addresses: Sequence[Address]) -> Iterator[Letter]:
    for address in addresses:
        letter = table.letter(address)
        if letter is not None:
            yield letter


def _wait_for_erasures(settings: Settings, table: OperatorTable, partitions: int, timeout: float) -> None:
    """The speed layer has applied the log's end, as of now. Raises Lambda360Error if it has not, in time."""
    ends = kafka.end_offsets(settings, partitions)
    try:
        wait(table.session, settings, ends, timeout, lambda: time.time_ns() // 1000, lambda missing, total: None)
    except NotApplied as error:
        text = f"nothing was appended: an erasure that is not applied yet could not be seen. The log is {error}"
        raise Lambda360Error(text) from error
