"""Renders an event as lines for a terminal, or as one JSON object."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.console import Console
from rich.text import Text

from common.algebra.alerts import rule_of
from common.algebra.facts import Origin
from common.algebra.metrics import MetricValue
from common.algebra.profile import KIND as PROFILE
from common.log.copy_events import AlertEvent, CopyEvent
from serving_layer.answer.readable import amounts, changes, evidence, happened, shown
from serving_layer.live.effects import Effect

INDENT = "    "


def as_json(event: CopyEvent, effect: Effect | None) -> str:
    """Returns one JSON object on one line. Money, hours and rates are decimal strings; times are RFC 3339."""
    head: dict[str, object] = {"id": event.id, "type": event.type, "time": event.time, "customer_id": event.subject}
    head |= {"partition": event.data.partition, "offset": event.data.offset}
    if isinstance(event, AlertEvent):
        return json.dumps(head | dict(evidence(event.data.alert)), ensure_ascii=False)
    data = event.data
    moved = None if effect is None else effect.metrics
    said: dict[str, object] = {"kind": data.kind, "entity_id": data.entity_id}
    said["retracted"] = data.after is not None and data.after.retracted
    said["origin"] = None if data.origin is None else {"source": data.origin.source, "row": data.origin.row}
    said["changes"] = {name: list(pair) for name, pair in changes(data.before, data.after).items()}
    values = [
        {"day": each.day, "measure": each.measure, "amount": shown(each.measure, each.amount)} for each in data.values
    ]
    metrics = None if moved is None else {name: list(pair) for name, pair in moved.items()}
    note = None if effect is None else effect.note
    return json.dumps(head | said | {"values": values, "metrics": metrics, "note": note}, ensure_ascii=False)


def lines(event: CopyEvent, effect: Effect | None) -> Iterator[Text]:
    """Yields a line with time, customer and entity, then the origin, the changes, and the metrics that moved."""
    yield _head(event)
    if isinstance(event, AlertEvent):
        yield from _alert(event)
        return
    data = event.data
    if data.origin is not None:
        yield Text(f"{INDENT}from {_where(data.origin)}", style="dim")
    is_new = data.before is None or data.before.retracted
    for name, (before, after) in changes(data.before, data.after).items():
        yield _pair(name, before, after, is_new)
    if effect is None or effect.metrics is None:
        yield from (Text(f"{INDENT}{amount}") for amount in amounts(data.values))
    else:
        yield from _metrics(effect.metrics)
    if effect is not None and effect.note:
        yield Text(f"{INDENT}({effect.note})", style="dim")


def _head(event: CopyEvent) -> Text:
    time = datetime.fromisoformat(event.time).replace(tzinfo=None).isoformat(timespec="milliseconds")  # it is in UTC
    head = Text.assemble((f"{time}  ", "dim"), (event.subject, "bold"), "  ")
    if isinstance(event, AlertEvent):
        head.append(f"ALERT {rule_of(event.data.alert)}", style="bold red")
    elif event.data.after is None:
        head.append("erased", style="bold yellow")
    else:
        kind, what = event.data.kind, happened(event.data.before, event.data.after)
        named = kind if kind == PROFILE else f"{kind} {event.data.entity_id}"  # a profile's entity is the customer
        head.append(f"{named} {what}", style="cyan")
    return head.append(f"  at {event.data.position}", style="dim")


def _where(origin: Origin) -> str:
    """Returns the source and its row. Control characters are escaped, because a source may be any text."""
    source = "".join(each if each.isprintable() else repr(each)[1:-1] for each in origin.source)
    return source if origin.row is None else f"{source} row {origin.row}"


def _alert(event: AlertEvent) -> Iterator[Text]:
    for name, value in evidence(event.data.alert).items():
        if isinstance(value, list):
            named = ", ".join(f"{each['ticket_id']} ({each['day']}, {each['priority']})" for each in value)
            yield Text(f"{INDENT}{name}: {named}")
        elif name != "rule":
            yield Text(f"{INDENT}{name}: {value}")


def _metrics(metrics: Mapping[str, tuple[MetricValue, MetricValue]]) -> Iterator[Text]:
    for name, (before, after) in metrics.items():
        text = Text(f"{INDENT}{name} ", style="green")
        yield text.append(f"{_text(before)} → {_text(after)}", style="bold green")


def _pair(name: str, before: object, after: object, is_new: bool) -> Text:
    return Text(f"{INDENT}{name}: {_text(after)}" if is_new else f"{INDENT}{name}: {_text(before)} → {_text(after)}")


def _text(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class Pipe(Console):
    """A console that raises BrokenPipeError when its reader has closed the pipe; rich would exit the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Screen:
    """Writes events to a console."""

    def __init__(self, console: Pipe, *, json_lines: bool) -> None:
        self._console, self._json_lines = console, json_lines

    def show(self, event: CopyEvent, effect: Effect | None) -> None:
        """Writes and flushes the event. Raises BrokenPipeError if the reader has closed the pipe."""
        if self._json_lines:
            self._console.file.write(as_json(event, effect) + "\n")
        else:
            for line in lines(event, effect):
                self._console.print(line, soft_wrap=True, highlight=False)
        self._console.file.flush()
