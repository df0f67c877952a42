"""Several processes of `lambda360 serve` on one socket, kept and replaced by uvicorn's own supervisor."""

import multiprocessing
import os
import socket
import sys

from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from common import logs
from common.garbage import collect_seldom
from common.settings import Settings, environment_of, load_settings
from infra.commands.serve import config_of, log_requests, prepare_logs
from infra.commands.serve_tls import Tls
from infra.context import clock
from infra.operate.workers.children import end_with
from serving_layer.app import create_app


def run_workers(settings: Settings, listener: socket.socket, workers: int, tls: Tls | None) -> None:
    """Answers in so many processes on one socket until SIGTERM or SIGINT; each one connects for itself."""
    os.environ.update(environment_of(settings))  # what `application` reads, in each worker
    config = config_of("infra.commands.serve_workers:application", settings, tls, workers=workers, factory=True)
    Multiprocess(config, sockets=[listener]).run()


def application() -> FastAPI:
    """Returns a worker's application, by the settings in its environment. The worker ends when its parent does."""
    logs.set_up(sys.stderr, logs.Whereabouts())
    prepare_logs()
    settings = load_settings(os.environ)
    log_requests(settings.serving)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        end_with(parent.pid)
    app = create_app(settings, clock=clock)
    collect_seldom()
    return app
