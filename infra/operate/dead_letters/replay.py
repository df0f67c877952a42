"""Appending dead letters to the log again, in chunks that bound memory; it knows no server."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, Protocol

from common.errors import LogError, LogUnavailable
from common.log.dead_letters import Address, Letter
from common.log.normalizing import Rules
from common.log.position import Position
from infra.operate.dead_letters.judge import Cause, Erasure, Ready, Refused, judge, unless_erased

CHUNK: Final = 64
CHUNK_BYTES: Final = 4 * 2**20
"""Letters, and bytes of their records, that are appended together, at most, unless a single one is larger."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A letter whose record is in the log again, acknowledged, at this position and time (microseconds)."""

    letter: Address
    position: Position
    appended_at: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of some records; `failure` says why others were not acknowledged: they may be in the log or not."""

    appended: Sequence[Appended]
    refused: Sequence[Refused] = ()
    failure: LogUnavailable | LogError | None = None


class Ports(Protocol):
    """What a replay has an effect on, or asks."""

    def erasures(self, customers: Collection[str]) -> Mapping[str, Erasure]: ...

    def append(self, ready: Sequence[Ready]) -> Sent: ...

    def mark_replayed(self, appended: Sequence[Appended]) -> None: ...


@dataclass(slots=True)
class Summary:
    """What a replay did."""

    appended: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Refused letters by the field and the rule that refused them."""
    causes: Counter[Cause] = field(default_factory=Counter)
    unmarked: list[Address] = field(default_factory=list)
    """Letters whose record is in the log again, and that may not say so."""
    unacknowledged: list[Address] = field(default_factory=list)
    """Letters whose record was sent, and may be in the log again or not."""

    @property
    def is_empty(self) -> bool:
        return not (self.appended or self.refused or self.unmarked or self.unacknowledged)


@dataclass(frozen=True, slots=True)
class Replay:
    """Appends letters that the present rules accept; `say` is told each one that is refused.

    `by_id` tells that the letters were named one by one: see `judge`. Within `uninterrupted` records are sent and
    their letters marked.
    """

    ports: Ports
    rules: Rules
    partitions: int
    by_id: bool
    say: Callable[[Refused], None]
    on_chunk: Callable[[int], None] = lambda done: None
    uninterrupted: Callable[[], AbstractContextManager[None]] = nullcontext

    def run(self, letters: Iterable[Letter], summary: Summary) -> None:
        """Every letter is appended and marked, or refused; `summary` grows as it goes.

        Raises LogUnavailable or LogError when the log does not take a record. Whatever ends it, it may be run again:
        what was marked is refused. What was appended and not marked, named by the summary unless the process was
        killed, is appended again, for otherwise it could be lost: that changes nothing but where another record of
        equal version lies between, which the later one of the two wins (R4).
        """
        for chunk in chunks(letters):
            self._run(chunk, summary)
            self.on_chunk(summary.appended + summary.refused)

    def _run(self, chunk: Sequence[Letter], summary: Summary) -> None:
        judged = [judge(letter, self.rules, self.partitions, by_id=self.by_id) for letter in chunk]
        accepted = [each for each in judged if isinstance(each, Ready)]
        erasures = self.ports.erasures({each.event.customer_id for each in accepted}) if accepted else {}
        ready: list[Ready] = []
        for each in judged:
            verdict = unless_erased(each, erasures) if isinstance(each, Ready) else each
            if isinstance(verdict, Ready):
                ready.append(verdict)
            else:
                self._refuse(verdict, summary)
        if ready:
            with self.uninterrupted():
                self._send(ready, summary)

    def _send(self, ready: Sequence[Ready], summary: Summary) -> None:
        """The summary names what is under way until it is acknowledged and marked, whatever ends this."""
        summary.unacknowledged = [each.letter.address for each in ready]
        sent = self.ports.append(ready)
        summary.unmarked = [each.letter for each in sent.appended]
        known = {*summary.unmarked, *(refused.letter for refused in sent.refused)}
        summary.unacknowledged = [letter for letter in summary.unacknowledged if letter not in known]
        summary.appended += len(sent.appended)
        for refused in sent.refused:
            self._refuse(refused, summary)
        self.ports.mark_replayed(sent.appended)
        summary.unmarked = []
        if sent.failure is not None:
            raise sent.failure

    def _refuse(self, refused: Refused, summary: Summary) -> None:
        summary.refused += 1
        summary.causes[refused.cause] += 1
        summary.reasons[f"{refused.field}: {refused.rule}"] += 1
        self.say(refused)


def chunks(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """The letters in their order, in chunks that bound what is held at once."""
    chunk: list[Letter] = []
    size = 0
    for letter in letters:
        chunk.append(letter)
        size += len(letter.key or b"") + len(letter.value or b"")
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
