"""Second looks at a file: the ids of rows that are given as examples, and the refusal of rows that clash."""

from contextlib import suppress

from common.errors import RejectedRecord
from infra.ingest.records import RecordMaker
from infra.ingest.repeats import RowsByEntity
from infra.ingest.rows import Source


def entity_ids(source: Source, maker: RecordMaker, numbers: set[int]) -> dict[int, str]:
    """Returns the entity ids of the rows with these numbers, all of which are valid."""
    found: dict[int, str] = {}
    for row in source.rows() if numbers else ():
        if row.number in numbers:
            found[row.number] = maker.record(row, 0).event.entity_id
            if len(found) == len(numbers):
                break
    return found


def refuse_clashes(source: Source, maker: RecordMaker, now: int, *, own_dates: bool) -> None:
    """Reads the whole file, and raises UsageError if rows of one entity clash."""
    rows = RowsByEntity(own_dates=own_dates)
    for row in source.rows():
        with suppress(RejectedRecord):
            rows.add(row.number, maker.record(row, now).event)
    repeats = rows.repeats()
    example = repeats.clashing_example or repeats.moved_example
    if example:
        ids = entity_ids(source, maker, set(example))
        named = ", ".join(f"row {row} ({ids[row]})" for row in example)
        rule = (
            f"with --refuse-clashes, rows that name one entity differ in their version, and name one customer: {named}"
        )
        raise source.refused(rule)
