"""Decides whether a dead letter may be appended to the log again, by its state, the rules and the erasures. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from common.errors import RejectedRecord, shorten
from common.log.dead_letters import PREFIX_BYTES, Address, Letter, LetterState
from common.log.events import Event, parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.position import Position


@dataclass(frozen=True, slots=True)
class Erasure:
    """A customer's last erasure: its offset in the customer's partition, and its append time (microseconds)."""

    offset: int
    appended_at: int


class Cause(Enum):
    """Why a letter was refused. The operator's next step depends on it."""

    RULES = auto()
    ERASED = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Refused:
    """A letter that is not appended, with the field, its value and the rule that it breaks."""

    letter: Address
    field: str
    value: str
    rule: str
    cause: Cause = Cause.OTHER


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter that the present rules accept, its event, and the partition of its customer."""

    letter: Letter
    partition: int
    event: Event


def judge(letter: Letter, rules: Rules, partitions: int, *, by_id: bool) -> Ready | Refused:
    """Returns Ready if the present rules accept the letter in its key's own partition, and Refused otherwise.

    Refuses a letter in state replayed, a letter whose bytes were not kept whole and, unless `by_id`, an erasure.
    """
    # Appended twice, a record would win over a later record of equal version (R4).
    if letter.state is LetterState.REPLAYED:
        return _in_the_log(letter)
    if not letter.is_whole:
        size = f"{letter.key_bytes or 0} + {letter.value_bytes or 0} bytes"
        rule = (
            f"the table keeps the first {PREFIX_BYTES} bytes of what is so large. All of it lies in the log at "
            f"{letter.address.position}: correct it at its source, and send it again"
        )
        return Refused(letter.address, "key and value", size, rule)
    partition = partition_of((letter.key or b"").decode("utf-8", "replace"), partitions)
    try:
        event = parse(letter.key, letter.value, partition, partitions, letter.appended_at, rules)
    except RejectedRecord as error:
        return Refused(letter.address, error.field, shorten(error.value), error.rule, Cause.RULES)
    # At its new position an erasure would also forget what its customer did since.
    if event.is_erasure and not by_id:
        rule = "an erasure forgets everything before its new position in the log: replay it by --id, if that is meant"
        return Refused(letter.address, "type", "'customer.erased'", rule)
    return Ready(letter, partition, event)


def is_erased(letter: Address, appended_at: int, partition: int, erasure: Erasure) -> bool:
    """Returns whether the customer was erased after the record; `partition` is the customer's.

    A record in that partition is compared by offset. A record in another one is compared by append time; if the
    times are equal, it counts as erased.
    """
    if letter.position.partition == partition:
        return letter.position.offset < erasure.offset
    return appended_at <= erasure.appended_at


def unless_erased(ready: Ready, erasures: Mapping[str, Erasure]) -> Ready | Refused:
    """Returns `ready`, or Refused if its customer was erased after the record (R24)."""
    erasure = erasures.get(ready.event.customer_id)
    letter = ready.letter
    if erasure is None or not is_erased(letter.address, letter.appended_at, ready.partition, erasure):
        return ready
    harm = "forget what came since" if ready.event.is_erasure else "bring data back"
    rule = f"the customer was erased afterwards, at {Position(ready.partition, erasure.offset)} (R24): it would {harm}"
    return Refused(letter.address, "data.customer_id", shorten(ready.event.customer_id), rule, Cause.ERASED)


def _in_the_log(letter: Letter) -> Refused:
    """Returns the refusal of a replayed letter. It lists the new positions that no worker rejected, by append time."""
    replays = sorted(letter.replays.items(), key=lambda replay: (replay[1], replay[0]))
    positions = ", ".join(str(position) for position, _ in replays if position not in letter.rejections)
    rule = "a record goes into the log again once: a second time it would win over what came since (R4, R24)"
    return Refused(letter.address, "state", f"replayed, in the log again at {positions}", rule)
