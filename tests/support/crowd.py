"""Readers as fast as the machine gives: processes that ask an API without a pause, and the judgement of what they got.

`python -m tests.support.crowd URL CUSTOMERS ANSWERS SEED` asks until SIGTERM; a line of the file ANSWERS is a response.
"""

import http.client
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from infra.paths import ROOT
from infra.proof.comparison import Verdict
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF
from tests.support.expected import Expected

ASKED_AT_ONCE: Final = 25
_PATH: Final = "/v1/customers/metrics:batch-get"


@dataclass
class Crowd:
    """The running readers, and the files of their answers."""

    readers: list["subprocess.Popen[bytes]"]
    answers: list[Path]
    started: float
    seconds: float = 0.0

    def responses(self) -> Iterator[dict[str, Any]]:
        """Every response of every reader, once they have ended."""
        for path in self.answers:
            with path.open("rb") as file:
                yield from map(json.loads, file)


@dataclass
class Heard:
    """The verdict on a crowd's answers."""

    verdict: Verdict = field(default_factory=Verdict)
    responses: int = 0
    refused: int = 0
    """Responses that were a 503: the slot was reused as often as a request pins anew (R20)."""
    torn: int = 0
    """Responses whose answers are of several batches: one request pins one pointer (R20)."""
    batches: Counter[int] = field(default_factory=Counter)
    """Answers by the batch that they name."""
    moves: int = 0
    """How often the batch changed from one response of a reader to its next."""


@contextmanager
def crowd(url: str, customers: Iterable[str], folder: Path, readers: int) -> Iterator[Crowd]:
    """Readers of all `customers` that ask until the end of the block."""
    names = folder / "customers.json"
    names.write_text(json.dumps(list(customers)), encoding="utf-8")
    answers = [folder / f"answers-{number}.jsonl" for number in range(readers)]
    command = [sys.executable, "-m", "tests.support.crowd", url, str(names)]
    running = [subprocess.Popen([*command, str(path), str(seed)], cwd=ROOT) for seed, path in enumerate(answers)]
    found = Crowd(running, answers, time.monotonic())
    try:
        yield found
        assert [reader.poll() for reader in running] == [None] * readers, "a reader ended"
    finally:
        for reader in running:
            reader.terminate()
        for reader in running:
            reader.wait()
        found.seconds = time.monotonic() - found.started


def heard(found: Crowd, oracle: Oracle) -> Heard:
    """Compares every answer with the oracle's at the offset that it names. The oracle must know the log up to now."""
    said, expected = Heard(), Expected(oracle)
    last: int | None = None
    for response in found.responses():
        said.responses += 1
        if "results" not in response:
            said.refused += 1
            continue
        pinned = {(entry["provenance"]["batch"] or {}).get("id", 0) for entry in response["results"]}
        said.torn += len(pinned) > 1
        said.moves += last not in {None, *pinned}
        last = max(pinned)
        for entry in response["results"]:
            said.batches[last] += 1
            compare(said.verdict, entry, expected)
    return said


def compare(verdict: Verdict, entry: dict[str, Any], expected: Expected) -> None:
    """Counts an answer as wrong, exact or degraded."""
    verdict.customers += 1
    if difference := expected.difference(entry):
        verdict.wrong += 1
        verdict.first_difference = verdict.first_difference or difference
    elif entry["provenance"]["status"] == "exact":
        verdict.exact += 1
    else:
        verdict.degraded += 1
        verdict.reasons.update(entry["provenance"]["reasons"])


def main() -> None:
    url, names, answers, seed = sys.argv[1:]
    rng, customers = random.Random(int(seed)), json.loads(Path(names).read_text(encoding="utf-8"))
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    with Path(answers).open("wb") as file:
        while not ended:
            chosen = rng.sample(customers, min(ASKED_AT_ONCE, len(customers)))
            body = json.dumps({"customer_ids": chosen, "as_of": AS_OF.isoformat()})
            client.request("POST", _PATH, body, {"Content-Type": "application/json"})
            response = client.getresponse()
            content = response.read()
            if response.status not in {http.client.OK, http.client.SERVICE_UNAVAILABLE}:
                sys.exit(f"{response.status}: {content[:500]!r}")
            file.write(content + b"\n")


if __name__ == "__main__":
    main()
