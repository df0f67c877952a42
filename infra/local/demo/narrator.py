"""Prints the demo: short sentences, a table at each stop, and what to try next."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.settings import Settings
from infra.drawing import Column, Row, draw
from infra.local.demo.judge import Stop

_WIDTH: Final = 100
_LAYERS: Final = ("batch only", "speed only", "both")


class Narrator:
    """Prints the story on the standard output, with the seconds since it began."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else _WIDTH
        self._console = Console(highlight=False, width=width)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def act(self, title: str, *sentences: str) -> None:
        """Prints the heading of an act, and the sentences that explain it."""
        self._console.print()
        self._console.rule(f"[bold]{title}[/bold]", align="left")
        for sentence in sentences:
            self._console.print(sentence)

    def say(self, text: str) -> None:
        """Prints one line, with the seconds since the beginning."""
        line = Table.grid(padding=(0, 2))
        line.add_row(Text(f"{self.seconds:5.0f} s", style="dim"), Text(text))
        self._console.print(line)

    def stops(self, stops: Sequence[Stop]) -> None:
        """Prints a table of all stops so far, a column for each."""
        styles = ["green" if stop.verdict.right else "bold red" for stop in stops]

        def row(what: str, figures: Iterable[str]) -> Row:
            return what, *(Text(figure, style) for figure, style in zip(figures, styles, strict=True))

        counts = ("customers", "exact", "degraded", "wrong")
        self._console.print()
        draw(
            (Column(), *(Column(stop.name, right=True) for stop in stops)),
            [
                row("records in the log", (f"{stop.records:,}" for stop in stops)),
                *(row(count, (f"{getattr(stop.verdict, count):,}" for stop in stops)) for count in counts),
                *(row(f"from {each}", (f"{stop.verdict.sources[each]:,}" for stop in stops)) for each in _LAYERS),
                row("seconds to ask all", (f"{stop.verdict.seconds:.1f}" for stop in stops)),
            ],
        )
        self._console.print()

    def steps(self, lines: Iterable[str]) -> None:
        """Prints the steps of a batch, as the batch printed them, without warnings."""
        for line in lines:
            if not line.startswith("WARNING"):
                self._console.print(f"         batch: {' '.join(line.split())}", markup=False, style="dim")

    def fault(self, stop: Stop) -> None:
        """Prints why a stop was not right: frequent reasons of degraded answers, and the first wrong answer."""
        verdict = stop.verdict
        for reason, count in verdict.reasons.most_common(3):
            self.say(f"degraded, {count:,} times: {reason}")
        if verdict.first_difference is not None:
            customer = verdict.first_difference["served"]["customer_id"]
            self.say(
                f"the first wrong answer is customer {customer}'s; the expected metrics and profile, and the served:"
            )
            self.plain(json.dumps(verdict.first_difference, indent=2))

    def plain(self, text: str) -> None:
        """Prints the text without wrapping it, so that it can be copied."""
        self._console.print(text, markup=False, soft_wrap=True)

    def json(self, text: str) -> None:
        self._console.print_json(text)

    def next_steps(self, settings: Settings, url: str, customer: str, dashboard: str) -> None:
        """Prints commands to try. The address of the dashboard comes last, where a reader finds it."""
        command = f"LAMBDA360_HOME={_short(settings.home)} {_short(Path(sys.executable).parent / 'lambda360')}"
        base = f"http://{settings.serving.host}:{settings.serving.port}"
        body = json.dumps({"customer_ids": [customer, "00002"], "as_of": "1998-06-30"})
        self.act("What to try next")
        self.plain(f"  curl '{url}'")
        self.plain(f"  curl -H 'content-type: application/json' -d '{body}' {base}/v1/customers/metrics:batch-get")
        self.plain(
            f"  {command} import order {_short(settings.home / 'files' / 'changes.csv')}   # again: no answer moves"
        )
        self.plain(f"  {command} batch run && {command} batch list")
        self.plain(f"  {command} schema show order   # what a record must look like")
        self.plain("")
        self.plain(f"  the dashboard, with this customer: {dashboard}")


def _short(path: Path) -> str:
    """Returns the path as one would type it in the current folder."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)
