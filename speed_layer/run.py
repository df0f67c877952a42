"""A worker from its settings: connect, compare the log's identity, take a seat, work until told to stop."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn

import structlog
import uvloop
from cassandra.cluster import Session

from common.errors import Lambda360Error
from common.garbage import collect_seldom
from common.logs import Whereabouts
from common.servers import kafka, log_identity, pointer_row
from common.servers.cassandra import connected
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from speed_layer.operate.prometheus import endpoint
from speed_layer.operate.seats import KeptSeat, Seat
from speed_layer.operate.vitals import Gauge, Watched
from speed_layer.process import Process

log = structlog.get_logger(__name__)
SETTLE_SECONDS: Final = 0.1

Clock = Callable[[], int]
Again = Callable[[KeptSeat], NoReturn]
"""Replaces this program by a new one of its kind in the same process, which keeps the seat."""


def run(
    settings: Settings,
    clock: Clock,
    whereabouts: Whereabouts,
    again: Again,
    *,
    succeed: int | None = None,
    keep: KeptSeat | None = None,
) -> None:
    """Be a worker until SIGTERM or SIGINT, or SIGHUP: then its membership is kept for whoever takes its seat.

    Once the pointer names another generation of the speed tables, it stops as at SIGHUP, and does not return: it calls
    `again`, and the new program must give that seat as `keep` (R13). `whereabouts` is what the lines of the process's
    log carry: it learns the seat and the positions here. With `succeed`, the worker waits, ready to go, until that seat
    is free. Raises a Lambda360Error, or an ExceptionGroup on a defect.
    """
    seat = None if keep is None else Seat.kept(settings.home, keep)
    with connected(settings) as session:
        recorded = log_identity.check(session, kafka.topic_identity(settings, settings.log.topic))
        if seat is None:
            seat = Seat.take(settings.home) if succeed is None else Seat.succeed(settings.home, succeed)
        whereabouts.seat = seat.number
        collect_seldom()
        start_over = partial(_start_over, seat, again)
        try:
            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
            moves = asyncio.run(_main(settings, session, recorded, clock, seat, whereabouts, start_over))
        finally:
            seat.withdraw()
    if moves:
        start_over()


async def _main(
    settings: Settings,
    session: Session,
    recorded: LogIdentity,
    clock: Clock,
    seat: Seat,
    whereabouts: Whereabouts,
    start_over: Callable[[], NoReturn],
) -> bool:
    """Returns whether the worker is to start again, in another generation."""
    stop = asyncio.Event()
    moves = False
    pointer = pointer_row.read(session)
    log.info("worker_start", topic=settings.log.topic, group=settings.log.group, generation=pointer.generation)
    try:
        process = Process(settings, session, recorded, clock, pointer, seat.member)
        _heed_signals(process, stop)
        gauge = Gauge(_watched(process), seat.number, seat.member, clock)
        whereabouts.positions = gauge.positions
        with endpoint(gauge, settings.speed.metrics_port and settings.speed.metrics_port + seat.number) as port:
            announce = partial(seat.announce, started_at=clock(), metrics_port=port)
            announce()
            telling = asyncio.ensure_future(_tell_when_settled(gauge, announce))
            try:
                moves = await process.run(stop)
            finally:
                telling.cancel()
    except Lambda360Error as error:
        log.critical("worker_failed", error=error)
        raise
    finally:
        _bound_the_end(settings.speed.session_timeout_seconds / 4, start_over if moves else partial(os._exit, 0))
    log.info("worker_stop", left_group=process.leaves)
    return moves


def _heed_signals(process: Process, stop: asyncio.Event) -> None:
    def stop_and_stay() -> None:
        process.leaves = False
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        loop.add_signal_handler(signal.SIGHUP, stop_and_stay)


def _watched(process: Process) -> Watched:
    core = process.core
    return Watched(
        lanes=core.lanes,
        keeper=core.keeper,
        worker=core.worker,
        copied=core.publisher.copied,
        retries=(core.store_retry, core.kafka_retry),
        cache=core.cache,
        steady=lambda: process.app.steady,
        paused=lambda: process.paused,
    )


async def _tell_when_settled(gauge: Gauge, announce: Callable[..., None]) -> None:
    while not gauge().settled:
        await asyncio.sleep(SETTLE_SECONDS)
    log.info("settled")
    announce(settled=True)


def _bound_the_end(seconds: float, end: Callable[[], NoReturn]) -> None:
    """Threads of the clients may hang on a server that is silent: `seconds` from now the process ends all the same.

    It does so by `end`, and after an error with exit code 1.
    """
    timer = threading.Timer(seconds, end if sys.exc_info()[0] is None else partial(os._exit, 1))
    timer.daemon = True
    timer.start()


def _start_over(seat: Seat, again: Again) -> NoReturn:
    """Starts again, also where this program has not come to its end: it must never look as if it had ended well."""
    seat.withdraw()
    again(seat.keep())
