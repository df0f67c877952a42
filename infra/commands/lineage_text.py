"""Lineage as text: the runs of a batch, and what is touched."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch_layer.lineage.event import Dataset, Event
    from batch_layer.lineage.impact import Impact, Touched

MOST_COLUMNS = 6
"""The columns that a line names; the JSON has all."""


def run_lines(events: "Sequence[Event]") -> Iterator[str]:
    """Yields the lines for a batch: its attempts, and the inputs and outputs of the last event that has them."""
    for event in events:
        yield f"batch {event.batch_id} attempt {event.attempt}  {event.type:<9}{event.time[:19]}Z  step {event.step}"
    last = next((event for event in reversed(events) if event.inputs), None)
    if last is None:
        return
    yield "read"
    yield from (f"  {line}" for line in map(_line, last.inputs))
    broken = [
        rule.name
        for each in last.inputs
        if (found := each.input_facets.quality)
        for rule in found.assertions
        if not rule.success
    ]
    if broken:
        yield f"  rules that did not hold: {', '.join(broken)}"
    yield "wrote"
    yield from (f"  {line}" for line in map(_line, last.outputs))


def impact_lines(made: "Impact") -> Iterator[str]:
    """Yields the lines for what is touched."""
    yield f"{made.target.role}: {made.target.name}"
    for batch_id, kinds in made.added.items():
        yield f"  added in batch {batch_id}: {', '.join(f'{count:,} {kind}' for kind, count in kinds.items())}"
    if not made.datasets:
        yield "nothing that is kept was computed from it"
        return
    yield "touched"
    yield from (f"  {line}" for line in map(_touched, made.datasets))
    if made.batches:
        yield f"published batches: {numbers(made.batches)}"
    if made.metrics:
        yield f"metrics: {', '.join(made.metrics)}"
    if made.added:
        yield "Its records count in every later batch until they are taken back (docs/taking-back.md)."
        yield "The speed layer applied the same records: its facts, deltas and alerts are touched, too."


def numbers(batches: Sequence[int]) -> str:
    """Returns ascending numbers as people write them: `1, 3 to 7`."""
    ranges: list[list[int]] = []
    for number in batches:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ranges)


def _line(dataset: "Dataset") -> str:
    """A dataset with what is known of it."""
    offsets = dataset.input_facets.offsets
    told = [
        f"{dataset.rows:,} rows" if dataset.rows is not None else "",
        f"version {dataset.version}" if dataset.version else "",
        ", ".join(f"{kind.records:,} {kind.kind}" for kind in dataset.kinds),
        "" if offsets is None else _ranges(dataset),
    ]
    return f"{dataset.short:<32}{'; '.join(each for each in told if each)}".rstrip()


def _ranges(dataset: "Dataset") -> str:
    offsets = dataset.input_facets.offsets
    partitions = () if offsets is None else offsets.partitions
    return " ".join(
        f"{each.partition}:{'?' if each.from_offset is None else each.from_offset}:{each.to_offset}"
        for each in partitions
    )


def _touched(each: "Touched") -> str:
    named = ", ".join(each.columns[:MOST_COLUMNS])
    more = len(each.columns) - MOST_COLUMNS
    columns = f"{named} and {more} more" if more > 0 else named
    batches = f"batch{'es' if len(each.batches) > 1 else ''} {numbers(each.batches)}"
    return f"{each.short:<32}{batches:<24}{columns}".rstrip()
