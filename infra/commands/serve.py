"""`lambda360 serve`: answers REST requests until a signal stops it."""

import errno
import logging
import signal
import socket
import sys
from typing import Final

import click
import structlog
import uvicorn
from fastapi import FastAPI

from common.errors import SettingsError
from common.settings import AccessSettings, ServingSettings
from infra.context import clock, settings_of
from infra.local.stack.ports import owner
from serving_layer.access.connections import guarded
from serving_layer.app import create_app

log = structlog.get_logger(__name__)
DRAIN_SECONDS: Final = 5
"""How long a request under way may take to finish after SIGTERM."""


@click.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Answer REST requests on 127.0.0.1:8360."""
    settings = settings_of(context)
    logging.getLogger("cassandra").setLevel(logging.WARNING)
    logging.getLogger("cassandra.cluster").addFilter(_without_traceback)
    app = create_app(settings, clock=clock)
    # When uvicorn gets the signal, it drains, puts this handler back and raises the signal again: exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listening(settings.serving) as listener:
        click.echo(f"answering on http://{settings.serving.host}:{settings.serving.port}", err=True)
        server_of(app, settings.serving, settings.access).run(sockets=[listener])


def server_of(app: FastAPI, settings: ServingSettings, access: AccessSettings) -> uvicorn.Server:
    """Returns a server of `app` that logs to this process's log, requests included."""
    if settings.access_log:
        requests = logging.getLogger("uvicorn.access")
        requests.setLevel(logging.INFO)
        requests.addFilter(_request)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=guarded(access),
        ws="none",
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return uvicorn.Server(config)


def _request(record: logging.LogRecord) -> bool:
    """Logs a request as an event with fields. Returns False, which drops uvicorn's own line about it."""
    client, method, path, _, status = record.args  # type: ignore[misc] # uvicorn's own five
    log.info("request", client=client, method=method, path=path, status=status)
    return False


def _without_traceback(record: logging.LogRecord) -> bool:
    """Returns whether the driver's line is kept: not with a traceback."""
    # The driver logs one for each attempt to connect, and the attempt's error is logged in one line already.
    return record.exc_info is None


def listening(settings: ServingSettings) -> socket.socket:
    """Returns a socket that listens on the settings' host and port. Raises SettingsError if none can."""
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
