"""Dead letters as text and as JSON. Values from a record are quoted, because they may hold any bytes."""

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from common.algebra.dates import datetime_of
from common.errors import shorten
from common.log.dead_letters import Letter, Rejection
from common.log.position import Position
from infra.drawing import Column, draw

SHOWN: Final = 4000
"""Most characters of a key or value that are shown. `show --raw` writes every byte."""
COLUMNS: Final = (
    Column("id", right=True, width=12),
    Column("last rejected (UTC)"),
    Column("attempts", right=True),
    Column("state", width=14),
    Column("key, and why"),
)


def show_each(letters: Iterable[Letter], *, as_json: bool) -> int:
    """Prints each letter as it is read, as a table row or as one JSON object a line. Returns their number."""
    shown = 0

    def counted() -> Iterator[Letter]:
        nonlocal shown
        for letter in letters:
            shown += 1
            yield letter

    if as_json:
        for letter in counted():
            click.echo(json.dumps(as_dict(letter, with_value=False)))
    else:
        draw(COLUMNS, map(row, counted()))
    return shown


def row(letter: Letter) -> tuple[str, ...]:
    """Returns the letter's cells, in the order of `COLUMNS`."""
    last = letter.last
    position = letter.address.position
    why = f"{shorten(letter.key, 40)}  {last.field}: {last.value}: {last.rule}"
    return str(position), _at(last.appended_at), str(letter.attempts), letter.state.value, why


def as_dict(letter: Letter, *, with_value: bool) -> dict[str, Any]:
    """Returns the row's columns and what is derived from them. Times are RFC 3339, bytes are base64."""
    last = letter.last
    position = letter.address.position
    body = {
        "id": str(position),
        "day": letter.address.day.isoformat(),
        "partition": position.partition,
        "offset": position.offset,
        "appended_at": datetime_of(letter.appended_at).isoformat(),
        "state": letter.state.value,
        "attempts": letter.attempts,
        "first_seen": datetime_of(min(each.appended_at for each in letter.rejections.values())).isoformat(),
        "last_seen": datetime_of(last.appended_at).isoformat(),
        "field": last.field,
        "value": last.value,
        "rule": last.rule,
        "rejections": {str(at): _rejection(each) for at, each in in_order(letter)},
        "replays": {str(at): datetime_of(time).isoformat() for at, time in letter.replays.items()},
        "discarded": None,
        "key_bytes": letter.key_bytes,
        "value_bytes": letter.value_bytes,
        "key_base64": _base64(letter.key),
    }
    if letter.discarded is not None:
        body["discarded"] = {"at": datetime_of(letter.discarded.at).isoformat(), "reason": letter.discarded.reason}
    return body | {"value_base64": _base64(letter.value)} if with_value else body


def pages(letter: Letter) -> Iterator[str]:
    """Yields everything about a letter, line by line."""
    day = letter.address.day
    position = letter.address.position
    state = letter.state
    times = "once" if letter.attempts == 1 else f"{letter.attempts} times"
    yield f"dead letter {position}: {state.value}; rejected {times}"
    yield f"  in the log   at {position}, appended {_at(letter.appended_at)} (UTC)"
    yield f"  row          day {day}, partition {position.partition}, offset {position.offset} of dead_letters"
    for at, rejection in in_order(letter):
        said = f"{rejection.field}: {rejection.value}: {rejection.rule}"
        yield f"  rejected     {_at(rejection.appended_at)} at {at}: {said}"
    for at, appended_at in sorted(letter.replays.items(), key=lambda entry: entry[1]):
        yield f"  replayed     {_at(appended_at)} at {at}{', and rejected' if at in letter.rejections else ''}"
    if letter.discarded is not None:
        yield f"  discarded    {_at(letter.discarded.at)}: {letter.discarded.reason!r}"
    yield f"  key          {_content(letter.key, letter.key_bytes)}"
    yield f"  value        {_content(letter.value, letter.value_bytes)}"
    if state.is_open:
        yield f"Next: `lambda360 dead-letters replay --id {position}` once the rules accept it, or `discard`."


def in_order(letter: Letter) -> list[tuple[Position, Rejection]]:
    """Returns the rejections with their positions, in the order of their append times."""
    return sorted(letter.rejections.items(), key=lambda entry: (entry[1].appended_at, entry[0]))


def _content(content: bytes | None, length: int | None) -> str:
    if content is None or length is None:
        return "none"
    kept = "" if len(content) == length else f", of which the first {len(content)} are kept"
    return f"{length} bytes{kept}: {shorten(content, SHOWN)}"


def _rejection(rejection: Rejection) -> dict[str, str]:
    at = datetime_of(rejection.appended_at).isoformat()
    return {"appended_at": at, "field": rejection.field, "value": rejection.value, "rule": rejection.rule}


def _at(micros: int) -> str:
    return f"{datetime_of(micros):%Y-%m-%d %H:%M:%S}"


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
