"""`lambda360 serve`: what uvicorn says about a request is an event of ours."""

import asyncio
import logging
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from common.errors import UsageError
from common.settings import ServingSettings, Settings
from infra.cli import lambda360
from infra.commands.serve import listening, listening_on, server_of
from infra.commands.serve_tls import Tls, tls_of


@pytest.fixture(autouse=True)
def access() -> Iterator[logging.Logger]:
    """uvicorn's logger of requests, as it was before the test."""
    logger = logging.getLogger("uvicorn.access")
    level, filters = logger.level, logger.filters[:]
    yield logger
    logger.setLevel(level)
    logger.filters = filters


async def _asked(settings: ServingSettings, path: str) -> list[EventDict]:
    """What is logged while a server with these settings answers one request."""
    with listening(settings) as listener, capture_logs() as events:
        server = server_of(FastAPI(openapi_url=None), around(settings))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"http://127.0.0.1:{listener.getsockname()[1]}{path}")
        server.should_exit = True
        await serving
    return events


def settings(*, access_log: bool) -> ServingSettings:
    """A server on a port that nobody uses."""
    return ServingSettings.model_construct(**{**dict(ServingSettings()), "port": 0, "access_log": access_log})


def test_a_request_is_one_event_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    (event,) = asyncio.run(_asked(settings(access_log=True), "/none?as_of=2024-01-01"))

    client = event.pop("client")
    assert client.startswith("127.0.0.1:")
    assert event == {
        "event": "request", "method": "GET", "path": "/none?as_of=2024-01-01", "status": 404, "log_level": "info",
    }  # fmt: skip
    assert [record.name for record in caplog.records if record.name == "uvicorn.access"] == []


def test_without_the_setting_no_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(_asked(settings(access_log=False), "/none")) == []
    assert [record.name for record in caplog.records if record.name == "uvicorn.access"] == []


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate for 127.0.0.1, and its key."""
    return made(tmp_path_factory.mktemp("tls"), "-nodes")


def made(folder: Path, *options: str) -> Tls:
    found = Tls(str(folder / "cert.pem"), str(folder / "key.pem"))
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", *subject, *options]
    subprocess.run([*command, "-out", found.certificate, "-keyout", found.key], check=True, capture_output=True)
    return found


def around(serving: ServingSettings) -> Settings:
    return Settings().model_copy(update={"serving": serving})


def test_a_certificate_and_its_key_answer_by_https(pair: Tls) -> None:
    async def asked() -> tuple[int, str]:
        limits = settings(access_log=False)
        with listening(limits) as listener:
            server = server_of(FastAPI(openapi_url=None), around(limits), tls_of(*pair))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            context = ssl.create_default_context(cafile=pair.certificate)
            async with httpx.AsyncClient(trust_env=False, verify=context) as client:
                response = await client.get(f"https://127.0.0.1:{listener.getsockname()[1]}/none")
            server.should_exit = True
            await serving
        return response.status_code, response.url.scheme

    assert asyncio.run(asked()) == (404, "https")


def test_one_file_of_the_two_is_not_enough(pair: Tls) -> None:
    assert tls_of(None, None) is None
    with pytest.raises(UsageError, match="--tls-key: '': it is needed beside"):
        tls_of(pair.certificate, None)
    with pytest.raises(UsageError, match="--tls-cert: '': it is needed beside"):
        tls_of(None, pair.key)


def test_a_key_of_another_certificate_an_encrypted_one_and_no_pem_are_refused_before_anything_listens(
    pair: Tls, tmp_path: Path
) -> None:
    other = made(tmp_path, "-passout", "pass:secret")
    for key in (other.key, pair.certificate, __file__):
        with pytest.raises(UsageError, match="--tls-cert"):
            tls_of(pair.certificate, key)
    with pytest.raises(UsageError, match="the key is encrypted"):
        tls_of(*other)


def test_host_and_port_of_the_command_win_over_the_settings() -> None:
    changed = listening_on(Settings(), "0.0.0.0", 9000)  # noqa: S104 # nothing listens

    assert (changed.serving.host, changed.serving.port) == ("0.0.0.0", 9000)  # noqa: S104 # as above
    assert listening_on(Settings(), None, None) == Settings()


@pytest.mark.parametrize("option", [["--workers", "0"], ["--workers", "65"], ["--port", "80"], ["--tls-cert", "none"]])
def test_an_option_that_cannot_be_is_refused(option: list[str]) -> None:
    result = CliRunner().invoke(lambda360, ["serve", *option], obj=Settings())

    assert result.exit_code == 2
    assert option[0] in result.output
