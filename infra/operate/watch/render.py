"""An event as it is shown: lines for a terminal, or one JSON object."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.console import Console
from rich.text import Text

from common.algebra.alerts import rule_of
from common.algebra.metrics import MetricValue
from common.log.copies import RESET, AlertEvent, DeltaEvent
from serving_layer.live.effects import Effect
from serving_layer.live.explain import amounts, changes, evidence, shown

INDENT = "    "


def as_json(event: DeltaEvent | AlertEvent, effect: Effect | None) -> str:
    """One object on one line; money, hours and rates are decimal strings, times RFC 3339."""
    place: dict[str, object] = {"id": event.id, "type": event.type, "time": event.time, "customer_id": event.subject}
    place |= {"partition": event.data.partition, "offset": event.data.offset}
    if isinstance(event, AlertEvent):
        return json.dumps(place | dict(evidence(event.data.alert)), ensure_ascii=False)
    data, moved = event.data, None if effect is None or effect.metrics is None else effect.metrics
    changed = {name: list(pair) for name, pair in changes(data.before, data.after).items()}
    said = {"kind": data.kind, "entity_id": data.entity_id, "changes": changed}
    values = [
        {"day": each.day, "measure": each.measure, "amount": shown(each.measure, each.amount)} for each in data.values
    ]
    metrics = None if moved is None else {name: list(pair) for name, pair in moved.items()}
    note = None if effect is None else effect.note
    return json.dumps(place | said | {"values": values, "metrics": metrics, "note": note}, ensure_ascii=False)


def lines(event: DeltaEvent | AlertEvent, effect: Effect | None) -> Iterator[Text]:
    """A line with time, customer and entity, then what changed, and the metrics that moved."""
    yield _head(event)
    if isinstance(event, AlertEvent):
        yield from _alert(event)
        return
    data = event.data
    for name, (before, after) in changes(data.before, data.after).items():
        yield _pair(name, before, after, data.before is None)
    if effect is None or effect.metrics is None:
        yield from (Text(f"{INDENT}{amount}") for amount in amounts(data.values))
    else:
        yield from _metrics(effect.metrics)
    if effect is not None and effect.note:
        yield Text(f"{INDENT}({effect.note})", style="dim")


def _head(event: DeltaEvent | AlertEvent) -> Text:
    time = datetime.fromisoformat(event.time).replace(tzinfo=None).isoformat(timespec="milliseconds")  # it is in UTC
    head = Text.assemble((f"{time}  ", "dim"), (event.subject, "bold"), "  ")
    if isinstance(event, AlertEvent):
        head.append(f"ALERT {rule_of(event.data.alert)}", style="bold red")
    elif event.type == RESET:
        head.append("erased", style="bold yellow")
    else:
        what = "new" if event.data.before is None else "changed"
        head.append(f"{event.data.kind} {event.data.entity_id} {what}", style="cyan")
    return head.append(f"  at {event.data.partition}:{event.data.offset}", style="dim")


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
    """A console that says that its reader is gone, where rich would end the process with an error."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Screen:
    """Where events are shown; each is written out at once. Raises BrokenPipeError once nobody reads."""

    def __init__(self, console: Pipe, *, json_lines: bool) -> None:
        self._console, self._json_lines = console, json_lines

    def show(self, event: DeltaEvent | AlertEvent, effect: Effect | None) -> None:
        if self._json_lines:
            self._console.file.write(as_json(event, effect) + "\n")
        else:
            for line in lines(event, effect):
                self._console.print(line, soft_wrap=True, highlight=False)
        self._console.file.flush()
