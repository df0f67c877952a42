"""Appends dead letters to the log again, in chunks that bound memory. It knows no server."""

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
"""Most letters in a chunk."""
CHUNK_BYTES: Final = 4 * 2**20
"""A chunk ends with the letter that brings its keys and values to this size."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A letter whose record Kafka acknowledged at this new position and append time (microseconds)."""

    letter: Address
    position: Position
    appended_at: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one call of `append`.

    Records in neither list were not acknowledged, for the reason in `failure`. They may be in the log or not.
    """

    appended: Sequence[Appended]
    refused: Sequence[Refused] = ()
    failure: LogUnavailable | LogError | None = None


class Ports(Protocol):
    """What a replay needs of the servers."""

    def erasures(self, customers: Collection[str]) -> Mapping[str, Erasure]: ...

    def append(self, ready: Sequence[Ready]) -> Sent: ...

    def mark_replayed(self, appended: Sequence[Appended]) -> None: ...


@dataclass(slots=True)
class Summary:
    """What a replay did so far."""

    appended: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """The number of refused letters by field and rule."""
    causes: Counter[Cause] = field(default_factory=Counter)
    """The number of refused letters by cause."""
    unmarked: list[Address] = field(default_factory=list)
    """Letters whose record is in the log again, but that may not be marked as replayed."""
    unacknowledged: list[Address] = field(default_factory=list)
    """Letters whose record was sent but not acknowledged. It may be in the log again or not."""

    @property
    def is_empty(self) -> bool:
        return not (self.appended or self.refused or self.unmarked or self.unacknowledged)


@dataclass(frozen=True, slots=True)
class Replay:
    """Appends the letters that the present rules accept, and calls `say` with each refusal.

    `by_id` is true if the operator named each letter: see `judge`. `on_chunk` receives the number of letters done.
    Each chunk is sent and marked inside `uninterrupted`, which delays an interrupt.
    """

    ports: Ports
    rules: Rules
    partitions: int
    by_id: bool
    say: Callable[[Refused], None]
    on_chunk: Callable[[int], None] = lambda done: None
    uninterrupted: Callable[[], AbstractContextManager[None]] = nullcontext

    def run(self, letters: Iterable[Letter], summary: Summary) -> None:
        """Appends and marks each letter, or refuses it; updates `summary` after each step.

        Raises LogUnavailable or LogError if Kafka does not acknowledge a record. It may be run again after any end. A
        marked letter is then refused. A letter that was appended but not marked is appended again, because its record
        could otherwise be lost. Unless the process was killed, `summary` names such letters. The second append
        changes an answer only if a record of equal version lies between the two: the later one wins (R4).
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
        """Sends and marks one chunk. If it raises, `summary` names the letters not acknowledged or not marked."""
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
    """Yields the letters in order, in chunks of at most `CHUNK`; see `CHUNK_BYTES`."""
    chunk: list[Letter] = []
    size = 0
    for letter in letters:
        chunk.append(letter)
        size += len(letter.key or b"") + len(letter.value or b"")
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk = []
            size = 0
    if chunk:
        yield chunk
