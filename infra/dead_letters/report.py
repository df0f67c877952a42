"""What a command says: how far it is and, at its end, what was done and what to do next."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import Progress

from infra.dead_letters.replay import Summary

REASONS: Final = 10


def after_replay(summary: Summary, *, interrupted: bool) -> Iterator[str]:
    """What a replay did, line by line."""
    yield f"{summary.appended:,} appended and acknowledged, {summary.refused:,} refused"
    for reason, count in summary.reasons.most_common(REASONS):
        yield f"  {count:,} x {reason}"
    if len(summary.reasons) > REASONS:
        yield f"  and {len(summary.reasons) - REASONS} more reasons"
    if interrupted:
        yield "Interrupted. Run the same command again: what is there already changes no answer."
    if summary.refused:
        yield "Refused letters stay as they are: send a corrected record from the source, and `discard` the letter."
    if summary.appended:
        yield "Next: `lambda360 speed wait` returns when the answers hold them."
    if not (summary.appended or summary.refused or interrupted):
        yield "No open letter was meant: `lambda360 dead-letters list --state all` shows what there is."


def after_list(shown: int, state: str, *, more: bool) -> str:
    """What a list showed, and what to do next."""
    if not shown:
        return "No dead letters." if state == "all" else f"No dead letters in state {state}; --state all shows others."
    if more:
        return f"{shown:,} shown, and there are more: --limit 0 shows all; --day, --partition, --reason-field choose."
    return f"{shown:,} shown. Next: `lambda360 dead-letters show ID`, `replay` or `discard` with --id ID or --all."


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """A count of letters on a terminal, silence elsewhere."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("letters looked at", total=None)
        yield lambda done: bar.update(task, completed=done, description=f"{done:,} letters looked at")
