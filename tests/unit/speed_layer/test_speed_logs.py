"""The log's lines: logfmt, one for each event."""

import logging
import sys
from typing import Any

import pytest

from common.logs import Logfmt, quoted


def record(message: str, *args: Any, **more: Any) -> logging.LogRecord:
    found = logging.LogRecord("speed_layer.read.app", logging.WARNING, __file__, 1, message, args, more.get("exc_info"))
    found.created = 1_700_000_000.25
    return found


def test_a_line_names_time_level_logger_slot_and_positions() -> None:
    line = Logfmt(3, lambda: {1: 456, 0: 123}).format(record("event=applied records=%d", 7))
    start = "time=2023-11-14T22:13:20.250Z level=warning logger=speed_layer.read.app slot=3 at=0:123,1:456 "
    assert line == start + "event=applied records=7"


def test_before_there_is_a_slot_or_a_position_neither_is_named() -> None:
    line = Logfmt().format(record("event=worker_start topic=%s", "customer_events"))
    assert " slot=" not in line
    assert " at=" not in line


@pytest.mark.parametrize(
    ("message", "args", "expected"),
    [
        ("event=unavailable waiting=%d error=%s", (2, "it is away"), 'waiting=2 error="it is away"'),
        ("event=stop_cut_short error=%r", (ValueError("a b"),), "error=\"ValueError('a b')\""),
        ("event=progress_unwritten error=%s", ("one\ntwo",), r'error="one\ntwo"'),
        ("event=out_of_sequence action=read_again %s", ("partition=1 offset=2",), "read_again partition=1 offset=2"),
        ("event=circuit_%s server=%s", ("open", "kafka"), "event=circuit_open server=kafka"),
        ("event=empty topic=%s", ("",), 'topic=""'),
    ],
)
def test_values_are_quoted_where_they_need_it(message: str, args: tuple[Any, ...], expected: str) -> None:
    assert Logfmt().format(record(message, *args)).endswith(expected)


def test_what_is_no_logfmt_becomes_one_quoted_message() -> None:
    line = Logfmt().format(record("Unclosed connection %s\n  to %s", "x", "y"))
    assert line.endswith(r'msg="Unclosed connection x\n  to y"')


def test_an_exception_stays_on_its_events_line() -> None:
    try:
        int("no such\nthing")
    except ValueError:
        line = Logfmt().format(record("event=defect", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert r"""event=defect exc="ValueError(""" in line
    assert 'trace="Traceback' in line


def test_a_plain_value_stays_as_it_is() -> None:
    assert [quoted(each) for each in ("a:1,b", 'a"b', "a=b")] == ["a:1,b", r'"a\"b"', '"a=b"']
