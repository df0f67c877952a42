"""Words an import's summary for a terminal: at most a screen, the most important first."""

import shlex
from collections.abc import Iterator
from typing import Final

from common.log.shapes import What
from infra.ingest.summary import MOST_ERASED, BrokenRule, Summary

LONG_HISTORY: Final = 1_000_000
"""From so many records on, a first batch is sooner done than a worker (docs/measurements.md)."""
_MOST_RULES: Final = 5
_MOST_WORDS: Final = 8


def lines(summary: Summary) -> Iterator[str]:
    """Yields the lines of the summary; the first one holds the counts."""
    sent = "valid (dry run: nothing was sent)" if summary.dry_run else "sent and acknowledged"
    yield (
        f"{summary.read:,} rows read, {summary.sent:,} {sent}, {summary.rejected:,} rejected, "
        f"in {summary.seconds:.1f} s"
    )
    yield from summary.notes
    yield from _of_valid_rows(summary)
    yield from _of_shape(summary)
    yield from _of_rejected_rows(summary)
    yield from _next_steps(summary)


def _of_valid_rows(summary: Summary) -> Iterator[str]:
    yield from _of_erased(summary)
    repeats = summary.repeats
    entity = summary.entry.kind.replace("_", " ")
    if repeats.clashing_rows:
        counts = (
            f"the row with the latest {summary.entry.own_date} counts, and of equal ones the last."
            if summary.version_is_own_date
            else "of equal versions the last row counts."
        )
        yield (
            f"{_do(repeats.rows, 'row', 'name')} {_count(repeats.entities, entity)}; {counts} "
            f"{_do(repeats.clashing_rows, 'row', 'differ')} so, of {_count(repeats.clashing_entities, entity)}, "
            f"first {_rows(summary, repeats.clashing_example)}."
        )
    if repeats.moved_entities:
        yield (
            f"{_do(repeats.moved_entities, entity, 'belong')} to several customers, first "
            f"{_rows(summary, repeats.moved_example)}: each of them counts it, unless it is taken back "
            "(docs/taking-back.md)."
        )
    if repeats.unchanging_rows:
        yield (
            f"{_do(repeats.unchanging_rows, 'row', 'change')} nothing: an earlier row says the same, or has a later "
            "version."
        )
    if summary.retracted:
        yield f"{_do(summary.retracted, 'row', 'take')} {'its' if summary.retracted == 1 else 'their'} entity back."
    if summary.future_dated:
        yield f"{_do(summary.future_dated, 'row', 'have')} a date over a day ahead; it counts from that day on."
    if summary.version_is_own_date and summary.sent:
        yield (
            f"Without updated_at, the version of {_article(entity)} is its {summary.entry.own_date}: a row that "
            "corrects one needs an updated_at that is later."
        )


def _of_erased(summary: Summary) -> Iterator[str]:
    if not summary.erased:
        return
    first = ", ".join(f"{who!r} (row {row:,})" for who, row in list(summary.erased.items())[:MOST_ERASED])
    more = ", …" if len(summary.erased) > MOST_ERASED else ""
    who = (
        f"{_count(len(summary.erased), 'customer')} of this file {'was' if len(summary.erased) == 1 else 'were'} erased"
    )
    if summary.left_out:
        yield f"{who}, and {_count(summary.left_out, 'row')} left out: {first}{more}."
    else:
        brings = "would bring" if summary.dry_run else "bring"
        yield (
            f"WARNING: {who}: {first}{more}. The file's rows {brings} them back. --skip-erased leaves such rows out; "
            "what is in the log already goes by `lambda360 erase`."
        )


def _of_shape(summary: Summary) -> Iterator[str]:
    comparison = summary.comparison
    if comparison is None:
        return
    series = comparison.source.name.removeprefix("file:")
    for change in comparison.changes:
        was, now = " or ".join(change.was), " or ".join(change.now)
        if change.what is What.NEW:
            yield f"Column {change.field} ({now}) is new in {series}, first in {change.example}."
            continue
        told = (
            f"holds {now} in {change.example}, and {was} before" if change.what is What.CHANGED else f"({was}) is gone"
        )
        known = "; from now on that is its shape." if change.name in comparison.approved else "."
        yield f"Column {change.field} {told}: {series} is not as the files before it{known}"
        if change.name not in comparison.approved:
            yield f"      if that is meant, the same command with --approve {shlex.quote(change.name)}"


def _of_rejected_rows(summary: Summary) -> Iterator[str]:
    broken = summary.broken_rules
    if not broken:
        return
    yield f"Rejected, by rule (every row with its reason: {summary.rejects}):"
    for rule in broken[:_MOST_RULES]:
        yield from _of_rule(rule)
    if len(broken) > _MOST_RULES:
        rest = broken[_MOST_RULES:]
        yield f"  {sum(rule.count for rule in rest):,} more, by {_count(len(rest), 'other rule')}"


def _of_rule(rule: BrokenRule) -> Iterator[str]:
    column = f" (column {rule.column})" if rule.column not in (None, rule.name) else ""
    yield f"  {rule.count:,} of {rule.name}{column}: {rule.rule}"
    yield f"      first in row {rule.row:,}: {rule.value}"
    if len(rule.words) > 1:
        often = sorted(rule.words.items(), key=lambda word: -word[1])
        more = ", …" if len(often) > _MOST_WORDS else ""
        yield f"      these are {', '.join(f'{word!r} ({count:,})' for word, count in often[:_MOST_WORDS])}{more}"
    if rule.advice is not None:
        yield f"      to mend it: {rule.advice}"


def _next_steps(summary: Summary) -> Iterator[str]:
    if summary.interrupted:
        yield "Interrupted. Run the same command again: rows that are in the log already change no answer."
    elif summary.broken is not None:
        yield f"The file could not be read to its end: {summary.broken}."
        yield "Get it whole, and run the same command again: rows that are in the log already change no answer."
    elif summary.rejected:
        yield "Next: mend them by options or at the source, and import the file again: what is in changes no answer."
    elif summary.dry_run:
        yield "Next: the same command without --dry-run."
    elif summary.sent:
        yield "Next: `lambda360 speed wait` returns when the answers hold them."
        if summary.sent >= LONG_HISTORY:
            yield (
                "If no worker has read this log yet, `lambda360 batch run --first` is sooner done with it "
                "(docs/importing.md)."
            )


def _rows(summary: Summary, rows: tuple[int, ...]) -> str:
    """Returns the rows of one entity with its id: `700001 (rows 1, 2 and 3)`."""
    *before, last = (f"{row:,}" for row in rows)
    return f"{summary.repeats_named[rows[0]]} (rows {', '.join(before)} and {last})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _do(number: int, noun: str, verb: str) -> str:
    """Returns how many do it: `1 row names`, `3 rows name`."""
    if number == 1:
        verb = {"have": "has"}.get(verb, f"{verb}s")
    return f"{_count(number, noun)} {verb}"


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
