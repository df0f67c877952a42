"""A worker from its settings: connect, compare the log's identity, work until told to stop."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

import uvloop
from cassandra.cluster import Session

from common import kafka, log_identity
from common.cassandra import connected
from common.errors import Lambda360Error
from common.log_identity import LogIdentity
from common.settings import Settings
from speed_layer.process import Process

log = logging.getLogger(__name__)


def run(settings: Settings, clock: Callable[[], int]) -> None:
    """Be a worker until SIGTERM or SIGINT. Raises a Lambda360Error, or an ExceptionGroup on a defect."""
    with connected(settings) as session:
        recorded = log_identity.check(session, kafka.topic_identity(settings, settings.log.topic))
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(_main(settings, session, recorded, clock))


async def _main(settings: Settings, session: Session, recorded: LogIdentity, clock: Callable[[], int]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("event=worker_start topic=%s group=%s", settings.log.topic, settings.log.group)
    try:
        await Process(settings, session, recorded, clock).run(stop)
    except Lambda360Error as error:
        log.critical("event=worker_failed error=%s", error)
        raise
    finally:
        _bound_the_end(settings.speed.session_timeout_seconds / 4)
    log.info("event=worker_stop")


def _bound_the_end(seconds: float) -> None:
    """Threads of the clients may hang on a server that is silent: `seconds` from now the process ends all the same."""
    code = 0 if sys.exc_info()[0] is None else 1
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
