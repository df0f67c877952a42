"""The log of a process: logfmt on one stream, one line for each event, also the libraries'. Knows no layer's events."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Final, cast

import structlog
from structlog.stdlib import LoggerFactory, ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

LEVELS: Final = {
    **dict.fromkeys(("common", "batch_layer", "speed_layer", "serving_layer", "infra"), logging.INFO),
    # Faust's services log under the modules of their subclasses, which are ours.
    **dict.fromkeys(("speed_layer.read.app", "speed_layer.read.seam"), logging.WARNING),
    **dict.fromkeys(("aiokafka", "cassandra"), logging.CRITICAL),  # many lines a second while a server is away
}
"""The lowest level that is logged, by logger; WARNING for the libraries that are not named."""
_PLAIN: Final = re.compile(r'[^\s"=\x00-\x1f\x7f]+')

Positions = Callable[[], Iterable[object]]
"""Returns positions in the log, in the order to write them; each is written as its `str`."""


@dataclass(slots=True)
class Whereabouts:
    """What every line of a process carries besides its event. A worker sets both after its start."""

    seat: int | None = None
    positions: Positions = tuple


def set_up(stream: IO[str], whereabouts: Whereabouts) -> None:
    """Every later line of this process goes to `stream`, with what `whereabouts` holds when the line is written.

    Must be called before the first line: a logger keeps the configuration of its first use.
    """
    structlog.configure(
        # Of a request, each line has the id.
        processors=[structlog.contextvars.merge_contextvars, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ProcessorFormatter(processors=[Logfmt(whereabouts)]))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)


class Logfmt:
    """Renders an event as a line: `time=… level=… logger=… seat=… at=0:123,1:456 event=…`, then the event's own fields.

    A value is a JSON string where `quoted` says so. A library's line has `msg="…"` in place of the event. An exception
    adds `exc` and `trace` to the same line.
    """

    def __init__(self, whereabouts: Whereabouts) -> None:
        self._whereabouts = whereabouts

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """Returns the line for an event as `ProcessorFormatter` passes it."""
        record: logging.LogRecord = event.pop("_record")
        text = {"event" if event.pop("_from_structlog") else "msg": event.pop("event")}
        error = _error(event.pop("exc_info", None))
        fields = {**self._head(record), **text, **event, **_error_fields(error)}
        return " ".join(f"{key}={quoted(_text(value))}" for key, value in fields.items())

    def _head(self, record: logging.LogRecord) -> dict[str, object]:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head: dict[str, object] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if self._whereabouts.seat is not None:
            head["seat"] = self._whereabouts.seat
        if at := ",".join(map(str, self._whereabouts.positions())):
            head["at"] = at
        return head


def _error(exc_info: object) -> BaseException | None:
    """The exception of a line: logging takes it bare, in a tuple of `sys.exc_info`, or as true for the current one."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        _, error, _ = exc_info
        return cast("BaseException | None", error)
    return sys.exception() if exc_info else None


def _error_fields(error: BaseException | None) -> dict[str, object]:
    return {} if error is None else {"exc": repr(error), "trace": "".join(traceback.format_exception(error))}


def _text(value: object) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def quoted(value: str) -> str:
    """Returns `value` as a line holds it: a JSON string if it is empty or holds space, `"`, `=` or a control code."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
