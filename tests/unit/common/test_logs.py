"""A process's log: one logfmt line for each event, ours or a library's."""

import io
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from common.log.position import Position
from common.logs import LEVELS, Logfmt, Whereabouts, quoted, set_up

Say = Callable[..., str]
_NUMBERS = itertools.count()


@pytest.fixture
def whereabouts() -> Whereabouts:
    return Whereabouts()


@pytest.fixture
def stream(whereabouts: Whereabouts) -> Iterator[io.StringIO]:
    """Where this process's log goes until the end of the test."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LEVELS}
    root.handlers = []  # `set_up` closes what it finds
    written = io.StringIO()
    set_up(written, whereabouts)
    yield written
    structlog.configure(**before)
    root.handlers = handlers
    root.setLevel(level)
    for name, each in levels.items():
        logging.getLogger(name).setLevel(each)


@pytest.fixture
def log() -> Any:
    """A logger of ours that no other test has used: loggers keep the set-up of their first use."""
    return structlog.get_logger(f"speed_layer.test_{next(_NUMBERS)}")


def test_a_line_names_time_level_logger_seat_and_positions() -> None:
    record = logging.LogRecord("speed_layer.read.app", logging.WARNING, __file__, 1, "", (), None)
    record.created = 1_700_000_000.25
    event = {"_record": record, "_from_structlog": True, "event": "applied", "records": 7}

    line = Logfmt(Whereabouts(3, lambda: [Position(0, 123), Position(1, 456)]))(None, "warning", event)

    start = "time=2023-11-14T22:13:20.250Z level=warning logger=speed_layer.read.app seat=3 at=0:123,1:456 "
    assert line == start + "event=applied records=7"


def test_before_there_is_a_seat_or_a_position_neither_is_named(stream: io.StringIO, log: Any) -> None:
    log.info("worker_start", topic="customer_events")

    (line,) = stream.getvalue().splitlines()
    assert [word.split("=")[0] for word in line.split()] == ["time", "level", "logger", "event", "topic"]


def test_a_line_names_the_whereabouts_of_that_moment(stream: io.StringIO, log: Any, whereabouts: Whereabouts) -> None:
    log.info("worker_start")
    whereabouts.seat = 2
    whereabouts.positions = lambda: [Position(0, 7)]
    log.info("settled")

    first, second = stream.getvalue().splitlines()
    assert first.endswith("event=worker_start")
    assert second.endswith("seat=2 at=0:7 event=settled")


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        ("unavailable", {"waiting": 2, "error": "it is away"}, 'waiting=2 error="it is away"'),
        ("stop_cut_short", {"error": repr(ValueError("a b"))}, "error=\"ValueError('a b')\""),
        ("topic_missing", {"error": ValueError("one\ntwo")}, r'error="one\ntwo"'),
        ("out_of_sequence", {"partition": 1, "offset": 2}, "event=out_of_sequence partition=1 offset=2"),
        ("circuit_open", {"target": "kafka"}, "event=circuit_open target=kafka"),
        ("empty", {"topic": ""}, 'topic=""'),
        ("worker_stop", {"left_group": True, "code": None}, "left_group=true code=null"),
        ("odd", {"error": "a\rb\x1b[2K"}, r'error="a\rb\u001b[2K"'),
        ("two words", {}, 'event="two words"'),
    ],
)
def test_values_are_quoted_where_they_need_it(
    stream: io.StringIO, log: Any, event: str, fields: dict[str, object], expected: str
) -> None:
    log.warning(event, **fields)

    assert stream.getvalue().endswith(f"{expected}\n")


def test_a_librarys_message_becomes_one_quoted_value(stream: io.StringIO) -> None:
    logging.getLogger("faust.transport").warning("Unclosed connection %s\n  to %s", "x", "y")

    assert stream.getvalue().endswith(r'logger=faust.transport msg="Unclosed connection x\n  to y"' + "\n")


@pytest.mark.parametrize("library", [True, False])
def test_an_exception_stays_on_its_events_line(stream: io.StringIO, log: Any, library: bool) -> None:
    try:
        int("no such\nthing")
    except ValueError:
        (logging.getLogger("faust") if library else log).exception("defect")

    (line,) = stream.getvalue().splitlines()
    assert f"""{"msg" if library else "event"}=defect exc="ValueError(""" in line
    assert 'trace="Traceback' in line


def test_an_exception_may_be_handed_over_outside_its_handler(stream: io.StringIO, log: Any) -> None:
    log.error("defect", exc_info=ValueError("late"))

    assert "event=defect exc=ValueError('late') trace=" in stream.getvalue()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("aiokafka.conn", ["critical"]),
        ("cassandra.cluster", ["critical"]),
        ("speed_layer.read.app", ["warning", "error", "critical"]),
        ("uvicorn.error", ["warning", "error", "critical"]),
    ],
)
def test_libraries_are_quiet(stream: io.StringIO, name: str, said: list[str]) -> None:
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger(name), level)("something")

    assert [line.split()[1] for line in stream.getvalue().splitlines()] == [f"level={level}" for level in said]


def test_ours_speak_from_info_on(stream: io.StringIO, log: Any) -> None:
    for level in ("debug", "info", "warning"):
        getattr(log, level)("something")

    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["level=info", "level=warning"]


def test_a_plain_value_stays_as_it_is() -> None:
    assert [quoted(each) for each in ("a:1,b", 'a"b', "a=b")] == ["a:1,b", r'"a\"b"', '"a=b"']


def test_every_line_of_a_request_has_its_id(stream: io.StringIO, log: Any) -> None:
    """As the API binds it, and no line after the request."""
    with structlog.contextvars.bound_contextvars(request="r1"):
        log.info("said")
    log.info("said")

    first, second = stream.getvalue().splitlines()
    assert "request=r1" in first
    assert "request" not in second
