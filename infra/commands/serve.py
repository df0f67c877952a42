"""`lambda360 serve`: the REST interface, until it is told to stop."""

import errno
import logging
import signal
import socket
import sys
import time
from typing import Final

import click
import uvicorn

from common.errors import SettingsError
from common.settings import ServingSettings
from infra.context import settings_of
from infra.local.stack.ports import owner
from serving_layer.app import create_app

DRAIN_SECONDS: Final = 5
"""How long a request under way may take to finish after SIGTERM."""


@click.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Answer REST requests on 127.0.0.1:8360."""
    settings = settings_of(context)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("cassandra.cluster").addFilter(_without_traceback)
    app = create_app(settings, clock=lambda: time.time_ns() // 1000)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    # uvicorn takes the signal, drains, puts this handler back and raises the signal again: a stop that was asked for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listening(settings.serving) as listener:
        click.echo(f"answering on http://{settings.serving.host}:{settings.serving.port}", err=True)
        uvicorn.Server(config).run(sockets=[listener])


def _without_traceback(record: logging.LogRecord) -> bool:
    """The driver logs a traceback for each attempt to connect; the attempt's error is logged in one line already."""
    return record.exc_info is None


def listening(settings: ServingSettings) -> socket.socket:
    """A socket that listens on the settings' host and port. Raises SettingsError if that cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            rule = f"{owner(settings.port)} listens on that port: stop it, or choose another port"
            raise SettingsError("LAMBDA360_SERVING_PORT", settings.port, rule) from error
        raise SettingsError("LAMBDA360_SERVING_HOST", settings.host, f"cannot be listened on: {error}") from error
    return listener
