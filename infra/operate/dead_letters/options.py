"""The options of `lambda360 dead-letters` that select letters."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import wraps
from typing import Any, TypeVar, cast

import click

from common.errors import UsageError
from infra.operate.dead_letters.selection import STATES, Filter, Selection, parse_id

Command = TypeVar("Command", bound=Callable[..., Any])


def filters(command: Command) -> Command:
    """Adds the filter options to a command, which receives them as `wanted: Filter`."""

    @wraps(command)
    def narrowed(*args: Any, day: date | None, partition: int | None, reason_field: str | None, **more: Any) -> Any:
        return command(*args, wanted=Filter(day, partition, reason_field), **more)

    field = click.option("--reason-field", metavar="FIELD", help="Rejected for this field, as `list` shows it.")
    where = click.option("--partition", type=click.IntRange(0, 2**31 - 1), help="Of this partition of the log.")
    when = click.option("--day", metavar="YYYY-MM-DD", callback=_day, help="Appended on this UTC day.")
    return cast(Command, when(where(field(narrowed))))


def selection(command: Command) -> Command:
    """Adds `--id`, `--all` and the filter options to a command, which receives them as `chosen: Selection`."""

    @wraps(command)
    def choosing(*args: Any, ids: tuple[str, ...], everything: bool, wanted: Filter, **more: Any) -> Any:
        return command(*args, chosen=_selected(ids, everything, wanted), **more)

    all_ = click.option("--all", "everything", is_flag=True, help="Every open letter that the filters leave.")
    one = click.option("--id", "ids", multiple=True, metavar="P:O", help="One letter; may be given several times.")
    return cast(Command, one(all_(filters(choosing))))


def _selected(ids: tuple[str, ...], everything: bool, wanted: Filter) -> Selection:
    filtered = wanted != Filter()
    if ids and (everything or filtered):
        raise UsageError("--id", ids[0], "either --id, or --all with its filters")
    if not ids and not everything:
        raise click.UsageError("Say which: --id P:O, or --all" + (" with these filters." if filtered else "."))
    named = dict.fromkeys(map(parse_id, ids))  # 2:7 and 2:07 are the same letter
    return Selection(list(named), replace(wanted, states=STATES["open"]))


def _day(_: click.Context, __: click.Parameter, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError("--day", text, "a UTC day, YYYY-MM-DD") from None
