"""A worker's log lines: logfmt, one line for each event, each with its time, slot and positions."""

import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Final

LEVELS: Final = {
    **dict.fromkeys(("faust", "mode", "asyncio", "speed_layer.read.app", "speed_layer.read.seam"), logging.WARNING),
    **dict.fromkeys(("aiokafka", "cassandra"), logging.CRITICAL),  # many lines a second while a server is away
}
"""Levels of what is not ours; Faust's services log under the modules of their subclasses, which are ours."""
_PLAIN: Final = re.compile(r'[^\s"=\x00-\x1f\x7f]+')
_PLACEHOLDER: Final = re.compile(r"%[-+ #0-9.]*[a-zA-Z]")

Positions = Callable[[], Mapping[int, int]]


class Logfmt(logging.Formatter):
    """`time=… level=… logger=… slot=… at=0:123,1:456 event=…`: every value with a space in it is a JSON string.

    A message that is not logfmt itself becomes `msg="…"`; an exception becomes `exc` and `trace`, on the same line.
    """

    def __init__(self, slot: int | None = None, positions: Positions = dict) -> None:
        super().__init__()
        self.slot, self.positions = slot, positions

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(self._parts(record))

    def _parts(self, record: logging.LogRecord) -> Iterator[str]:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        yield f"time={when.replace('+00:00', 'Z')}"
        yield f"level={record.levelname.lower()}"
        yield f"logger={record.name}"
        if self.slot is not None:
            yield f"slot={self.slot}"
        if at := ",".join(f"{partition}:{offset}" for partition, offset in sorted(self.positions().items())):
            yield f"at={at}"
        yield from _message(record)
        if record.exc_info and record.exc_info[1] is not None:
            yield f"exc={quoted(repr(record.exc_info[1]))}"
            yield f"trace={quoted(''.join(traceback.format_exception(record.exc_info[1])))}"


def _message(record: logging.LogRecord) -> Iterator[str]:
    template, args = str(record.msg), record.args
    if not template.startswith("event="):
        yield f"msg={quoted(record.getMessage())}"
        return
    values = list(args) if isinstance(args, tuple) else []
    for word in template.split(" "):
        count = len(_PLACEHOLDER.findall(word))
        text, values = word % tuple(values[:count]) if count else word, values[count:]
        key, equals, value = text.partition("=")
        yield f"{key}={quoted(value)}" if equals and "=" in word else text.replace("\n", " ")


def quoted(value: str) -> str:
    """`value` as it stands in a line: as a JSON string where it is empty, or has a space, a quote or a line's end."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def set_up(stream: IO[str]) -> Logfmt:
    """Send every line of this process to `stream`; the formatter returned learns slot and positions later."""
    formatter, handler = Logfmt(), logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    return formatter
