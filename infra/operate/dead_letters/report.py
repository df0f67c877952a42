"""What a command prints: its progress and, at its end, what was done and what to do next."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import Progress

from common.log.dead_letters import Address
from infra.operate.dead_letters.judge import Cause
from infra.operate.dead_letters.replay import Summary

REASONS: Final = 10
IDS: Final = 5
ADVICE: Final[Mapping[Cause, str]] = {
    Cause.RULES: "broken rules: send a corrected record from the source, unless its customer was erased since (R24), "
    "and `discard` the letter.",
    Cause.ERASED: "customer erased since (R24): do not send the record again, and `discard` the letter.",
}
"""What to do about refused letters, by cause. For a cause without an entry, the refusal itself gives the advice."""


def after_replay(summary: Summary, *, interrupted: bool = False, failed: bool = False) -> Iterator[str]:
    """Yields the lines that report what a replay did, whether it finished, failed or was interrupted."""
    yield f"{summary.appended:,} appended and acknowledged, {summary.refused:,} refused"
    for reason, count in summary.reasons.most_common(REASONS):
        yield f"  {count:,} x {reason}"
    if len(summary.reasons) > REASONS:
        yield f"  and {len(summary.reasons) - REASONS} more reasons"
    if summary.refused:
        yield "Refused letters stay as they are."
        yield from _advice(summary)
    yield from _in_doubt(summary)
    if interrupted or failed:
        said = "Interrupted" if interrupted else "Not finished"
        yield f"{said}. Run the same command again for the rest: what is marked as replayed is not appended twice."
    if summary.appended:
        yield "Next: `lambda360 speed wait` returns when the answers hold them."
    if not (summary.appended or summary.refused or interrupted or failed):
        yield "No open letter was meant: `lambda360 dead-letters list --state all` shows what there is."


def after_list(shown: int, state: str, *, more: bool) -> str:
    """Returns the line that ends a list: how many letters it showed, and what to do next."""
    if not shown:
        return "No dead letters." if state == "all" else f"No dead letters in state {state}; --state all shows others."
    if more:
        return f"{shown:,} shown, and there are more: --limit 0 shows all; --day, --partition, --reason-field choose."
    return f"{shown:,} shown. Next: `lambda360 dead-letters show ID`, `replay` or `discard` with --id ID or --all."


def _advice(summary: Summary) -> Iterator[str]:
    for cause, text in ADVICE.items():
        if summary.causes[cause]:
            yield f"  {summary.causes[cause]:,} x {text}"


def _in_doubt(summary: Summary) -> Iterator[str]:
    """Yields the lines about letters that the next replay may append a second time."""
    if summary.unmarked:
        yield f"{len(summary.unmarked):,} of the appended may not be marked as replayed: {_ids(summary.unmarked)}"
    if summary.unacknowledged:
        count = len(summary.unacknowledged)
        ids = _ids(summary.unacknowledged)
        yield f"{count:,} more were sent, but not acknowledged: they may be in the log, unmarked: {ids}"
    if summary.unmarked or summary.unacknowledged:
        yield "  What is not marked is appended again by the next replay: of equal versions the later one wins (R4)."


def _ids(letters: Sequence[Address]) -> str:
    more = f" and {len(letters) - IDS:,} more" if len(letters) > IDS else ""
    return ", ".join(str(letter.position) for letter in letters[:IDS]) + more


@contextmanager
def counter() -> Iterator[Callable[[int], None]]:
    """Shows a count of letters on stderr if it is a terminal; call the value with the new count."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("letters looked at", total=None)
        yield lambda done: bar.update(task, completed=done, description=f"{done:,} letters looked at")
