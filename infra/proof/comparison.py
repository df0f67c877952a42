"""Compares served answers with the oracle's, each one at the offset that the answer names.

The demo, `make faults`, `make bench` and the end-to-end tests share this comparison.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Any, Final

import httpx

from infra.proof.oracle import Oracle

REFUSED_SECONDS: Final = 120.0
"""How long a request is retried while the API answers 503."""
CHUNK: Final = 500
"""Customers asked for in one batch-get."""


@dataclass
class Verdict:
    """The result of a comparison. An answer that is wrong counts as `wrong` only, whether exact or degraded."""

    customers: int = 0
    exact: int = 0
    degraded: int = 0
    wrong: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    """How many customers were answered from `batch only`, `speed only`, `both` or `neither` (unknown customers)."""
    reasons: Counter[str] = field(default_factory=Counter)
    first_difference: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether there were answers, and all of them were right and exact."""
        return self.customers > 0 and self.wrong == 0 and self.degraded == 0


def compare(url: str, oracle: Oracle, customers: Iterable[str], as_of: date) -> Verdict:
    """Asks for every customer over REST and judges each answer. The oracle must know the log up to now."""
    started = time.monotonic()
    verdict = judge(ask_all(url, customers, as_of), oracle, as_of)
    verdict.seconds = time.monotonic() - started
    return verdict


def ask_all(url: str, customers: Iterable[str], as_of: date) -> list[dict[str, Any]]:
    """Returns the served entries of all customers, in their order."""
    ids = list(customers)
    chunks = [ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)]
    with httpx.Client(base_url=url, timeout=120.0) as client, ThreadPoolExecutor(2) as pool:
        return [entry for entries in pool.map(lambda chunk: ask(client, chunk, as_of), chunks) for entry in entries]


def judge(entries: Iterable[dict[str, Any]], oracle: Oracle, as_of: date) -> Verdict:
    """Compares each entry with the oracle's answer at the offset that the entry names."""
    verdict = Verdict()
    for entry in entries:
        _judge(verdict, entry, oracle, as_of)
    return verdict


def ask(client: httpx.Client, customers: Sequence[str], as_of: date) -> list[dict[str, Any]]:
    """Returns the entries of one batch-get, in the order asked. A 503 is retried, for REFUSED_SECONDS.

    Raises httpx.HTTPError for any other error, and for a 503 after that time.
    """
    body = {"customer_ids": list(customers), "as_of": as_of.isoformat()}
    deadline = time.monotonic() + REFUSED_SECONDS
    while True:
        response = client.post("/v1/customers/metrics:batch-get", json=body)
        if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            break
        time.sleep(float(response.headers["Retry-After"]))
    response.raise_for_status()
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def _judge(verdict: Verdict, result: dict[str, Any], oracle: Oracle, as_of: date) -> None:
    provenance = result["provenance"]
    customer = result["customer_id"]
    verdict.customers += 1
    below = {provenance["log"]["partition"]: provenance["log"]["next_offset"]}
    expected = oracle.answer(customer, as_of, below)
    profile = oracle.profile(customer, below)
    served = result["metrics"] if result["status"] == "ok" else None
    if result["status"] == "error" or served != expected or result["profile"] != profile:
        verdict.wrong += 1
        verdict.first_difference = verdict.first_difference or {
            "expected": expected,
            "profile": profile,
            "served": result,
        }
    elif provenance["status"] == "exact":
        verdict.exact += 1
    else:
        verdict.degraded += 1
        verdict.reasons.update(provenance["reasons"])
    verdict.sources[_source(provenance, oracle, customer)] += 1


def _source(provenance: dict[str, Any], oracle: Oracle, customer: str) -> str:
    """Returns which layers an answer came from. The batch layer has a row for each customer known below its cut."""
    partition = provenance["log"]["partition"]
    batch = provenance["batch"]
    in_batch = batch is not None and bool(oracle.current(customer, {partition: batch["cut"].get(str(partition), 0)}))
    if provenance["speed"]["deltas"]:
        return "both" if in_batch else "speed only"
    return "batch only" if in_batch else "neither"
