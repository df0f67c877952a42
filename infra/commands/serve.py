"""`lambda360 serve`: answers REST requests until a signal stops it."""

import errno
import logging
import signal
import socket
import sys
from typing import Any, Final

import click
import structlog
import uvicorn
from fastapi import FastAPI

from common.errors import SettingsError
from common.garbage import collect_seldom
from common.settings import ServingSettings, Settings
from infra.commands.serve_tls import Tls, tls_of
from infra.context import clock, settings_of
from infra.local.stack.ports import owner
from serving_layer.access.connections import guarded
from serving_layer.access.policy import Policy
from serving_layer.app import create_app

log = structlog.get_logger(__name__)
DRAIN_SECONDS: Final = 5
"""How long a request under way may take to finish after SIGTERM."""
_FILE: Final = click.Path(exists=True, dir_okay=False)


@click.command()
@click.option("--host", help="Address to listen on, instead of the setting's.")
@click.option("--port", type=click.IntRange(1024, 65_535), help="Port to listen on, instead of the setting's.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes on the one port.")
@click.option(
    "--tls-cert", type=_FILE, help="File of the certificate chain (PEM); with it, answers are by https alone."
)
@click.option("--tls-key", type=_FILE, help="File of the certificate's private key (PEM), not encrypted.")
@click.pass_context
def serve(
    context: click.Context, host: str | None, port: int | None, workers: int, tls_cert: str | None, tls_key: str | None
) -> None:
    """Answer REST requests on 127.0.0.1:8360.

    A worker that dies is replaced. SIGTERM lets requests under way finish.
    """
    from infra.commands.serve_workers import run_workers

    tls = tls_of(tls_cert, tls_key)
    settings = listening_on(settings_of(context), host, port)
    serving = settings.serving
    Policy.of(settings, clock)  # refuses, before anything listens
    with listening(serving) as listener:
        scheme = "http" if tls is None else "https"
        click.echo(f"answering on {scheme}://{serving.host}:{serving.port} (workers: {workers})", err=True)
        if workers > 1:
            run_workers(settings, listener, workers, tls)
        else:
            run_alone(settings, listener, tls)


def listening_on(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Returns the settings with another address or port, where one is given."""
    asked = {"host": host, "port": port}
    given = {name: value for name, value in asked.items() if value is not None}
    return settings.model_copy(update={"serving": settings.serving.model_copy(update=given)})


def run_alone(settings: Settings, listener: socket.socket, tls: Tls | None) -> None:
    """Answers in this process until SIGTERM or SIGINT."""
    prepare_logs()
    app = create_app(settings, clock=clock)
    collect_seldom()
    # When uvicorn gets the signal, it drains, puts this handler back and raises the signal again: exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server_of(app, settings, tls).run(sockets=[listener])


def prepare_logs() -> None:
    """Leaves out what the driver logs beside our own lines."""
    logging.getLogger("cassandra").setLevel(logging.WARNING)
    logging.getLogger("cassandra.cluster").addFilter(_without_traceback)


def server_of(app: FastAPI, settings: Settings, tls: Tls | None = None) -> uvicorn.Server:
    """Returns a server of `app` that logs to this process's log, requests included."""
    log_requests(settings.serving)
    return uvicorn.Server(config_of(app, settings, tls))


def config_of(app: FastAPI | str, settings: Settings, tls: Tls | None, **more: Any) -> uvicorn.Config:
    """Returns uvicorn's configuration."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=guarded(settings.access),
        ws="none",
        log_config=None,
        access_log=settings.serving.access_log,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
        **more,
    )


def log_requests(settings: ServingSettings) -> None:
    """Makes each request an event of ours, if the setting says that requests are logged."""
    if settings.access_log:
        access = logging.getLogger("uvicorn.access")
        access.setLevel(logging.INFO)
        access.addFilter(_request)


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
