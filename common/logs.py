"""The log of a process: logfmt on one stream, one line for each event, the libraries' events included."""

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
"""The least level that is logged, by logger; WARNING for the libraries that are not named."""
_PLAIN: Final = re.compile(r'[^\s"=\x00-\x1f\x7f]+')

Positions = Callable[[], Iterable[object]]
"""Gives positions in the log, in their order; each is written as its text."""


@dataclass(slots=True)
class Whereabouts:
    """What every line of a process carries besides its event; a worker learns both after its start."""

    seat: int | None = None
    positions: Positions = tuple


def set_up(stream: IO[str], whereabouts: Whereabouts) -> None:
    """Send every line of this process to `stream`, with what `whereabouts` holds at that moment.

    Called once, before the first line: loggers keep the set-up that they were first used under.
    """
    structlog.configure(
        processors=[ProcessorFormatter.wrap_for_formatter],
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
    """`time=… level=… logger=… seat=… at=0:123,1:456 event=…`: every value with a space in it is a JSON string.

    A line of a library has `msg="…"` in the place of the event; an exception becomes `exc` and `trace`, on the same
    line.
    """

    def __init__(self, whereabouts: Whereabouts) -> None:
        self._whereabouts = whereabouts

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """The line of what `ProcessorFormatter` hands over."""
        record: logging.LogRecord = event.pop("_record")
        said = {"event" if event.pop("_from_structlog") else "msg": event.pop("event")}
        error = _error(event.pop("exc_info", None))
        fields = {**self._head(record), **said, **event, **_told(error)}
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
    """The exception of a line, in each of the ways in which logging lets one name it."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return cast("BaseException | None", exc_info[1])
    return sys.exc_info()[1] if exc_info else None


def _told(error: BaseException | None) -> dict[str, object]:
    return {} if error is None else {"exc": repr(error), "trace": "".join(traceback.format_exception(error))}


def _text(value: object) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def quoted(value: str) -> str:
    """`value` as it stands in a line: as a JSON string where it is empty, or has a space, a quote or a line's end."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
