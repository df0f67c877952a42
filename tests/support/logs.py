"""The log while tests run: kept by pytest, heard by a test, or silent."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from structlog.processors import LogfmtRenderer, format_exc_info
from structlog.stdlib import LoggerFactory
from structlog.typing import EventDict, WrappedLogger


def kept() -> None:
    """Lines go where pytest keeps them, for the report of a test that fails; no logger keeps this set-up."""
    structlog.configure(
        processors=[format_exc_info, LogfmtRenderer(key_order=["event"])],
        logger_factory=LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )


def lines_of(events: Sequence[EventDict]) -> list[str]:
    """`event=… key=value …` of each event that `structlog.testing.capture_logs` took."""
    render = LogfmtRenderer(key_order=["event"])
    return [
        str(render(None, "", {key: value for key, value in event.items() if key != "log_level"})) for event in events
    ]


@contextmanager
def silent() -> Iterator[None]:
    """Nothing is logged, by us or by a library, and next to no time is spent on it."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        structlog.configure(**before)


def _drop(_logger: WrappedLogger, _method: str, _event: EventDict) -> EventDict:
    raise structlog.DropEvent
