"""The judge of readers at full speed notices what it is there for."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, order
from tests.support.crowd import Crowd, Heard, crowd, heard
from tests.support.harness import wait_until


def oracle() -> Oracle:
    """A log of two orders of 10.00, of ada and of bob."""
    return Oracle(Log(partitions=1).append(order("ada"), order("bob", "o2")), 1)


def entry(
    customer: str, batch: int, *, revenue: str = "10.00", next_offset: int = 2, reason: str = ""
) -> dict[str, Any]:
    """A served entry, right unless said otherwise."""
    metrics = oracle().answer(customer, AS_OF, {0: next_offset})
    return {
        "customer_id": customer,
        "status": "unknown" if metrics is None else "ok",
        "metrics": metrics and metrics | {"total_revenue": revenue},
        "profile": None,
        "provenance": {
            "status": "degraded" if reason else "exact",
            "reasons": [reason] if reason else [],
            "batch": {"id": batch},
            "log": {"partition": 0, "next_offset": next_offset},
        },
    }


def verdict(folder: Path, *responses: list[dict[str, Any]]) -> Heard:
    """What is heard of these responses of one reader."""
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps({"results": each}) + "\n" for each in responses), encoding="utf-8")
    return heard(Crowd([], [path], time.monotonic()), oracle())


def test_right_answers_of_two_batches_one_after_another_are_neither_wrong_nor_torn(tmp_path: Path) -> None:
    found = verdict(tmp_path, [entry("ada", 1), entry("bob", 1)], [entry("ada", 2), entry("bob", 2, next_offset=1)])

    assert (found.verdict.exact, found.verdict.wrong, found.torn, found.moves) == (4, 0, 0, 1)


def test_two_batches_in_one_response_are_torn(tmp_path: Path) -> None:
    assert verdict(tmp_path, [entry("ada", 1), entry("bob", 2)]).torn == 1


def test_a_wrong_answer_is_wrong_also_where_it_is_degraded(tmp_path: Path) -> None:
    found = verdict(tmp_path, [entry("ada", 1, revenue="9.00"), entry("bob", 1, revenue="9.00", reason="late")])

    assert (found.verdict.wrong, found.verdict.degraded) == (2, 0)


def test_a_degraded_answer_that_is_right_is_counted_with_its_reason(tmp_path: Path) -> None:
    found = verdict(tmp_path, [entry("ada", 1, reason="late")])

    assert dict(found.verdict.reasons) == {"late": 1}


def test_a_refusal_is_counted_and_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"title": "Service Unavailable"}\n', encoding="utf-8")

    found = heard(Crowd([], [path], time.monotonic()), oracle())

    assert (found.refused, found.verdict.customers) == (1, 0)


class Api(BaseHTTPRequestHandler):
    """Answers for whoever is asked for, from batch 1."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["customer_ids"]
        body = json.dumps({"results": [entry(customer, 1) for customer in asked]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_readers_ask_until_they_are_ended_and_every_whole_response_is_kept(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    with crowd(f"http://127.0.0.1:{server.server_port}", ["ada", "bob"], tmp_path, readers=2) as readers:
        wait_until(lambda: all(path.exists() and path.stat().st_size for path in readers.answers), 60, "answers")
    server.shutdown()
    server.server_close()
    found = heard(readers, oracle())

    assert found.responses > 1
    assert (found.verdict.customers, found.verdict.wrong) == (2 * found.responses, 0)
