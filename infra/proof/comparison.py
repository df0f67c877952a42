"""Every served answer against the oracle's, each at the offset that the answer names.

The demo, `make faults`, `make bench` and the end-to-end tests share this one comparison.
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
"""How long the API may say that it cannot answer for now, at most."""
CHUNK: Final = 500
"""Customers asked for in one batch-get."""


@dataclass
class Verdict:
    """How the served answers compare with the oracle's, each at the offset the answer names."""

    customers: int = 0
    exact: int = 0
    degraded: int = 0
    wrong: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    """Customers answered from `batch only`, `speed only`, `both` or `neither` (unknown ones)."""
    reasons: Counter[str] = field(default_factory=Counter)
    first_difference: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        return self.customers > 0 and self.wrong == 0 and self.degraded == 0


def compare(url: str, oracle: Oracle, customers: Iterable[str], as_of: date) -> Verdict:
    """Ask for every customer over REST, and judge each answer; the oracle must know the log up to now."""
    started = time.monotonic()
    verdict = judge(ask_all(url, customers, as_of), oracle, as_of)
    verdict.seconds = time.monotonic() - started
    return verdict


def ask_all(url: str, customers: Iterable[str], as_of: date) -> list[dict[str, Any]]:
    """The served entries of all customers."""
    ids = list(customers)
    chunks = [ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)]
    with httpx.Client(base_url=url, timeout=120.0) as client, ThreadPoolExecutor(2) as pool:
        return [entry for entries in pool.map(lambda chunk: ask(client, chunk, as_of), chunks) for entry in entries]


def judge(entries: Iterable[dict[str, Any]], oracle: Oracle, as_of: date) -> Verdict:
    """Each entry against the oracle's answer at the offset that the entry names."""
    verdict = Verdict()
    for entry in entries:
        _judge(verdict, entry, oracle, as_of)
    return verdict


def ask(client: httpx.Client, customers: Sequence[str], as_of: date) -> list[dict[str, Any]]:
    """The entries of one batch-get, in the order asked. A 503 is no answer, right or wrong: it is asked again."""
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
    provenance, customer = result["provenance"], result["customer_id"]
    verdict.customers += 1
    below = {provenance["log"]["partition"]: provenance["log"]["next_offset"]}
    expected, profile = oracle.answer(customer, as_of, below), oracle.profile(customer, below)
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
    """Which layers an answer came from; the batch layer has a row for whomever the log below its cut knows."""
    partition, batch = provenance["log"]["partition"], provenance["batch"]
    in_batch = batch is not None and bool(oracle.current(customer, {partition: batch["cut"].get(str(partition), 0)}))
    if provenance["speed"]["deltas"]:
        return "both" if in_batch else "speed only"
    return "batch only" if in_batch else "neither"
