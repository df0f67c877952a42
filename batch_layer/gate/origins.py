"""Counts records by their origin, the `source` of their envelope, and by kind. Pure Python, in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from batch_layer.gate_report import OriginCount
from common.log.wire import RECORD_TYPES

MOST_ORIGINS: Final = 500
"""The origins that a run names, at most."""
REJECTED: Final = "rejected"
"""Stands for the kind of a record that validation rejected."""
UNREADABLE: Final = "?"
"""The origin of a record whose envelope has no readable one."""
OTHERS: Final = "*"
"""The origin of all records whose own one is not named, since there are too many."""
MOST_CHARACTERS: Final = 512
"""As in a valid record; a longer text is no origin."""
_KINDS: Final = frozenset(entry.kind for entry in RECORD_TYPES.values())

_Counts = Mapping[tuple[str, str], int]
"""Records by origin and kind."""


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    source: Any = None


class Origins:
    """Counts of records, of at most a few thousand origins at a time."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, value: bytes | None, kind: str | None) -> None:
        """Counts a record of the master; `kind` is None if validation rejected it."""
        self._counts[self._origin(value), kind if kind in _KINDS else REJECTED] += 1
        if len(self._counts) > 4 * MOST_ORIGINS * len(_KINDS):
            self._counts = Counter(bounded(self._counts))

    def counts(self) -> list[OriginCount]:
        """Returns the counts, of at most `MOST_ORIGINS` origins."""
        return _listed(bounded(self._counts))

    def _origin(self, value: bytes | None) -> str:
        try:
            found = self._decode(value or b"").source
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return UNREADABLE
        return found if isinstance(found, str) and 0 < len(found) <= MOST_CHARACTERS else UNREADABLE


def summed(counts: Iterable[OriginCount]) -> tuple[OriginCount, ...]:
    """Returns the counts of all tasks together, by origin and kind, of at most `MOST_ORIGINS` origins."""
    sums: Counter[tuple[str, str]] = Counter()
    for each in counts:
        sums[each.origin, each.kind] += each.records
    return tuple(_listed(bounded(sums)))


def bounded(counts: _Counts) -> dict[tuple[str, str], int]:
    """Returns counts of at most `MOST_ORIGINS` origins, whose sum is the same.

    If there are more, all files of a folder are one origin, `file:///folder/*`; if there are still more, the origins
    with the fewest records are one, `*`. So a name stands for its own records only, or shows that it does not.
    """
    folders = {origin for origin, _ in counts if origin.endswith("/*")}
    is_crowded = len({origin for origin, _ in counts}) > MOST_ORIGINS
    merged = _renamed(counts, lambda name: folder_of(name) if is_crowded or folder_of(name) in folders else name)
    by_origin: Counter[str] = Counter()
    for (origin, _), records in merged.items():
        by_origin[origin] += records
    if len(by_origin) <= MOST_ORIGINS:
        return merged
    named = sorted(by_origin, key=lambda name: (name == OTHERS, -by_origin[name], name))[: MOST_ORIGINS - 1]
    kept = frozenset(named)
    return _renamed(merged, lambda name: name if name in kept else OTHERS)


def folder_of(origin: str) -> str:
    """Returns the origin that stands for all files in the file's folder; of what is no file's, the origin itself."""
    return f"{origin.rpartition('/')[0]}/*" if origin.startswith("file:") and "/" in origin else origin


def _renamed(counts: _Counts, name_of: Callable[[str], str]) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for (origin, kind), records in counts.items():
        found[name_of(origin), kind] += records
    return dict(found)


def _listed(counts: _Counts) -> list[OriginCount]:
    return [OriginCount(origin, kind, records) for (origin, kind), records in sorted(counts.items())]
