"""Keeping and sending events: whole lines, each once, and an endpoint that costs a run little whatever it does."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from openlineage.client.event_v2 import RunState
from structlog.testing import capture_logs

from batch_layer.job import Job
from batch_layer.lineage.emit import Emitter, Endpoint
from batch_layer.lineage.events import Deployment, encoded, event
from batch_layer.lineage.kept import Kept
from batch_layer.lineage.observer import Lineage
from batch_layer.manifest import Status
from common.servers.log_identity import LogIdentity
from common.settings import LineageSettings, Settings
from tests.support.lineage import deployment, keep, manifest, report

KEY = "s3cret-t0ken"


def line(batch_id: int = 1) -> bytes:
    run = manifest(batch_id)
    return encoded(event(deployment(), run, 1, RunState.COMPLETE, run.started_at))


def settings(home: Path, url: str = "http://lineage.test/api/v1/lineage", wait: float = 30, **more: Any) -> Settings:
    return Settings(home=home, lineage=LineageSettings(url=url, timeout_seconds=wait, **more))


class Taken:
    """An endpoint in memory, and what it was sent."""

    def __init__(self, status: int = 201) -> None:
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)
        self._status = status

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status)


def test_a_new_event_is_kept_and_sent_once_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    taken = Taken()
    emitter = Emitter(settings(tmp_path, api_key_file=str(tmp_path / "key")), taken.transport)

    emitter.emit(line())
    emitter.emit(line())

    [request] = taken.requests
    assert (request.method, str(request.url)) == ("POST", "http://lineage.test/api/v1/lineage")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.content == line() == emitter.kept.lines()[0]


def test_the_key_is_in_no_log_no_event_and_no_setting(tmp_path: Path) -> None:
    """Not even where the key itself is why a request cannot be made."""
    for key in (KEY, f"{KEY}\nk3y", "schlüssel"):
        (tmp_path / "key").write_text(key, encoding="utf-8")
        found = settings(tmp_path, url="http://127.0.0.1:9", api_key_file=str(tmp_path / "key"))
        with capture_logs() as logs:
            Emitter(found).emit(line(len(key)))
        assert [each["event"] for each in logs] == ["lineage was not sent"]
        kept = b"".join(Kept.of(found).lines()).decode()
        assert not any(part in told for part in key.split() for told in (str(logs), repr(found), kept))


class Away:
    """An endpoint that does what is told at each request, and how many there were."""

    def __init__(self, answer: Callable[[], httpx.Response]) -> None:
        self.requests = 0
        self._answer = answer
        self.transport = httpx.MockTransport(self._count)

    def _count(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return self._answer()


def refused() -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


def silent() -> httpx.Response:
    time.sleep(5)
    return httpx.Response(200)


@pytest.mark.parametrize(
    ("answer", "wait", "says"),
    [
        (lambda: httpx.Response(503), 30, "it answered 503"),
        (lambda: httpx.Response(302), 30, "it answered 302"),
        (refused, 30, "ConnectError: Connection refused"),
        (silent, 0.2, "no answer in 0.2 s"),
    ],
)
def test_an_endpoint_that_is_away_is_asked_once_and_warned_of_once_and_the_events_are_kept(
    tmp_path: Path, answer: Callable[[], httpx.Response], wait: float, says: str
) -> None:
    away = Away(answer)
    emitter = Emitter(settings(tmp_path, wait=wait), away.transport)

    with capture_logs() as logs:
        for batch_id in range(1, 9):
            emitter.emit(line(batch_id))

    [warned] = logs
    assert (warned["log_level"], warned["reason"]) == ("warning", says)
    assert away.requests == 1
    assert len(emitter.kept.events()) == 8


def test_an_endpoint_that_trickles_is_left_after_the_time_out(tmp_path: Path) -> None:
    """A client's time-outs are for each read, and this one sends a byte now and then."""

    class Trickling(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return
                ended.wait(0.1)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    ended = threading.Event()
    server = HTTPServer(("127.0.0.1", 0), Trickling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        endpoint = Endpoint(settings(tmp_path, url=f"http://127.0.0.1:{server.server_port}", wait=0.3))
        began = time.monotonic()

        assert not endpoint.send(line())

        assert time.monotonic() - began < 60.0, "the answer would take 100 s"
        assert endpoint.failure == "no answer in 0.3 s"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_line_that_a_killed_process_left_torn_counts_as_absent_and_the_next_one_is_whole(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "lambda360")
    keep(kept, manifest(1, Status.RUNNING))
    [path] = tmp_path.iterdir()
    torn = line()[:100]
    path.write_bytes(path.read_bytes() + torn)

    with capture_logs() as logs:
        assert kept.add(line())

    assert [each.type for each in kept.events()] == ["START", "COMPLETE"]
    assert path.read_bytes().splitlines()[1] == torn
    assert logs[0]["event"] == "a line of the kept lineage is no event"


def test_two_processes_that_keep_the_same_event_keep_it_once(tmp_path: Path) -> None:
    threads = [threading.Thread(target=lambda: Kept(tmp_path, "lambda360").add(line())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(Kept(tmp_path, "lambda360").events()) == 1


def test_r24_an_origin_that_names_a_customer_gets_another_name_and_nothing_else_changes(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "lambda360")
    keep(kept, manifest(1, gate=report({"file:///in/ada.csv": {"order": 1}, "shop": {"order": 1}})), manifest(2))
    before = kept.lines()

    changed = kept.rename_origins(lambda name: name.replace("ada", "(erased)"))

    after = kept.lines()
    assert changed == 2
    assert [each.replace(b"(erased)", b"ada") for each in after] == [_sorted(each) for each in before]
    assert kept.rename_origins(lambda name: name.replace("ada", "(erased)")) == 0


def _sorted(text: bytes) -> bytes:
    return json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def job(home: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr("common.servers.log_identity.find", lambda session, topic: LogIdentity(topic, "topic-id", 4))

    class Spark:
        version = "4.1.1"

    return Job(Settings(home=home), cast(Any, Spark()), cast(Any, None), clock=lambda: 5, report=lambda *_: None)


def test_a_job_that_is_observed_keeps_the_events_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = job(tmp_path, monkeypatch)
    observe = Lineage(made, Emitter(made.settings))

    for status in (Status.RUNNING, Status.RUNNING, Status.STOPPED):
        observe(manifest(3, status))

    assert [each.type for each in Kept(tmp_path / "lineage", "lambda360").events(3)] == ["START", "FAIL"]


def test_what_fails_in_lineage_is_a_warning_and_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lineage").write_text("a file where the folder should be")
    made = job(tmp_path, monkeypatch)

    with capture_logs() as logs:
        Lineage(made, Emitter(made.settings))(manifest(3))

    assert [(each["log_level"], each["event"]) for each in logs] == [("warning", "lineage of a run is incomplete")]


def test_events_of_another_keyspace_or_of_another_log_under_it_are_no_events_of_this_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R25: a restore begins with batch 1 again, in the same home."""
    made = job(tmp_path, monkeypatch)
    keep(Kept(tmp_path / "lineage", "before"), manifest(1))
    another = Deployment(made.settings, "another-topic-id", "4.1.1")
    run = manifest(1)
    Kept.of(made.settings).add(encoded(event(another, run, 1, RunState.COMPLETE, run.started_at)))

    Lineage(made, Emitter(made.settings))(run)

    mine = deployment().run_id(run, 1)
    assert [each.type for each in Kept.of(made.settings).events(1) if each.run.id == mine] == ["START", "COMPLETE"]
    assert len(Kept(tmp_path / "lineage", "before").events()) == 2
