"""Where a run's new records came from: counted by origin and kind, in bounded memory, and none is lost."""

import pytest

from batch_layer.gate.origins import MOST_ORIGINS, OTHERS, REJECTED, UNREADABLE, Origins, summed
from batch_layer.gate_report import OriginCount


def value(source: object) -> bytes:
    text = "null" if source is None else f'"{source}"' if isinstance(source, str) else str(source)
    return f'{{"type": "order.recorded", "source": {text}, "data": {{}}}}'.encode()


def counted(*records: tuple[bytes | None, str | None]) -> dict[tuple[str, str], int]:
    origins = Origins()
    for each, kind in records:
        origins.add(each, kind)
    return {(found.origin, found.kind): found.records for found in origins.counts()}


def test_records_are_counted_by_origin_and_kind() -> None:
    found = counted(
        (value("file:///a.csv"), "order"),
        (value("file:///a.csv"), "order"),
        (value("file:///a.csv"), "refund"),
        (value("shop"), "order"),
        (value("shop"), None),
    )

    assert found == {
        ("file:///a.csv", "order"): 2,
        ("file:///a.csv", "refund"): 1,
        ("shop", "order"): 1,
        ("shop", REJECTED): 1,
    }


@pytest.mark.parametrize(
    "each", [None, b"", b"no json", b"[]", b'{"source": "\xff"}', b"{}", value(5), value(""), value("x" * 513)]
)
def test_a_record_without_a_readable_origin_is_counted_as_such(each: bytes | None) -> None:
    assert counted((each, None)) == {(UNREADABLE, REJECTED): 1}


def test_files_are_named_by_their_folders_where_there_are_too_many_and_others_keep_their_names() -> None:
    names = [f"file:///in/{n % 3}/{n}.csv" for n in range(MOST_ORIGINS)]

    found = counted(*((value(name), "order") for name in [*names, "shop"]))

    assert set(found) == {("shop", "order"), *((f"file:///in/{n}/*", "order") for n in range(3))}
    assert sum(found.values()) == MOST_ORIGINS + 1


def test_the_rarest_origins_are_one_where_there_are_still_too_many() -> None:
    often = [(value(f"often-{n}"), "order") for n in range(MOST_ORIGINS - 1)] * 2
    once = [(value(f"once-{n}"), "refund") for n in range(7)]

    found = counted(*once, *often)

    assert found[OTHERS, "refund"] == 7
    assert len(found) == MOST_ORIGINS
    assert sum(found.values()) == len(often) + 7


def test_a_file_that_one_task_named_and_another_counted_by_its_folder_is_counted_by_its_folder() -> None:
    found = summed([OriginCount("file:///in/*", "order", 5), OriginCount("file:///in/a.csv", "order", 2)])

    assert found == (OriginCount("file:///in/*", "order", 7),)


def test_a_task_keeps_few_counts_whatever_the_records_name() -> None:
    """For example, a producer that puts an id into `source`."""
    origins = Origins()
    for number in range(30_000):
        origins.add(value(f"device-{number}"), "order")

    assert len(origins._counts) <= 4 * MOST_ORIGINS * 6
    assert sum(each.records for each in origins.counts()) == 30_000
