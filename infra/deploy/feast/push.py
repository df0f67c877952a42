"""Pushes customers' live vectors into Feast's online store, as deltas arrive.

    lambda360 watch --json --no-alerts | .feast/bin/python infra/deploy/feast/push.py

stdin says whose vector has moved; the vector is what the API answers for that customer, which is merged from both
layers. So a vector is pushed whole: repeats, or lines that were missed in between, do no harm. An answer that is not
exact is not pushed: its customer is asked for again, as are all while the API does not answer (R22). The features of an
erased customer become null. Ends when stdin ends: exit code 1 if some could not be pushed. Needs Feast's environment.
"""

import argparse
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import requests
from feast import FeatureStore
from feast.errors import FeastError

HERE = Path(__file__).resolve().parent
FEATURES = json.loads((HERE / "features.json").read_text(encoding="utf-8"))
DTYPES = {"integer": "Int64", "real": "Float64", "truth": "boolean", "text": "string"}
"""Of pandas, which have null beside a value of every type."""
AT_ONCE = 500
"""Customers in one request; the API takes 1,000 unless set otherwise."""
AGAIN_SECONDS = 5.0
ALERT = "customer.alert"
Ask = Callable[[Sequence[str]], Iterable[Mapping[str, Any]]]
"""Returns the API's results for some customers. Raises requests.RequestException."""


class Pusher:
    """Keeps whose vectors have moved, each with the time of the last delta, and pushes them."""

    def __init__(self, ask: Ask, push: Callable[[pd.DataFrame], None]) -> None:
        self._ask = ask
        self._push = push
        self.waiting: dict[str, datetime] = {}

    def take(self, lines: Iterable[str]) -> list[str]:
        """Takes lines of `lambda360 watch --json`, and returns their customers."""
        taken = []
        for line in lines:
            if not line:
                continue
            try:
                event = json.loads(line)
                kind, customer = event["type"], str(event["customer_id"])
                at = datetime.fromisoformat(event["time"])
            except (ValueError, KeyError, TypeError):
                sys.exit(f"error: stdin: {line[:80]!r}: a line of `lambda360 watch --json`")
            if kind == ALERT:  # its time is another one, and its delta has a line of its own
                continue
            self.waiting[customer] = max(at, self.waiting.get(customer, at))
            taken.append(customer)
        return list(dict.fromkeys(taken))

    def turn(self, of: Iterable[str]) -> str:
        """Pushes the vectors of some customers that the API answers exactly; returns why others wait, or nothing."""
        reasons: set[str] = set()
        for customers in portions(of):
            try:
                results = list(self._ask(customers))
            except requests.RequestException as error:
                return f"the API does not answer: {error}"
            final = [each for each in results if is_final(each)]
            reasons.update(reason for each in results if each not in final for reason in reasons_of(each))
            if final:
                self._push(frame(final, self.waiting))
            for each in final:
                del self.waiting[each["customer_id"]]
        return "; ".join(sorted(reasons))


def is_final(result: Mapping[str, Any]) -> bool:
    return result["status"] in ("ok", "unknown") and result["provenance"]["status"] == "exact"


def reasons_of(result: Mapping[str, Any]) -> Sequence[str]:
    return result["provenance"]["reasons"] if result["provenance"] else [result["error"]["rule"]]


def frame(results: Sequence[Mapping[str, Any]], at: Mapping[str, datetime]) -> pd.DataFrame:
    """Returns a row for each result: the features, null for an unknown customer, and the time of the last delta."""
    columns: dict[str, object] = {
        "customer_id": pd.array([each["customer_id"] for each in results], dtype="string"),
        "event_timestamp": pd.to_datetime([at[each["customer_id"]] for each in results], utc=True),
        "created_timestamp": pd.to_datetime([at[each["customer_id"]] for each in results], utc=True),
    }
    for feature in FEATURES:
        columns[feature["name"]] = pd.array([value(feature, each) for each in results], dtype=DTYPES[feature["kind"]])
    return pd.DataFrame(columns)


def value(feature: Mapping[str, Any], result: Mapping[str, Any]) -> object:
    """Returns the feature's value in an answer: an amount's cents, a rate as a float, all else as it is answered."""
    found = (result[feature["of"]] or {}).get(feature["source"])
    if found is None:
        return None
    if feature["places"]:
        cents = int(Decimal(found).scaleb(feature["places"]))
        return cents if abs(cents) < 1 << 63 else None
    return float(found) if feature["kind"] == "real" else found


def portions(customers: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(customers)
    while some := list(islice(waiting, AT_ONCE)):
        yield some


def lines_of(descriptor: int, seconds: float) -> Iterator[list[str]]:
    """Yields the lines that have come, at least every `seconds`, then none, until the other side closes."""
    rest = b""
    while True:
        if not select.select([descriptor], [], [], seconds)[0]:
            yield []
            continue
        chunk = os.read(descriptor, 1 << 16)
        *whole, rest = (rest + chunk).split(b"\n")
        yield [line.decode() for line in whole]
        if not chunk:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description="Push live vectors of the customers that stdin names.")
    parser.add_argument("--api", default="http://127.0.0.1:8360", help="where `lambda360 serve` answers")
    url = f"{parser.parse_args().api.rstrip('/')}/v1/customers/metrics:batch-get"

    def ask(customers: Sequence[str]) -> Iterable[Mapping[str, Any]]:
        answered = requests.post(url, json={"customer_ids": list(customers)}, timeout=30)
        answered.raise_for_status()
        results: list[Mapping[str, Any]] = answered.json()["results"]
        return results

    store = FeatureStore(repo_path=str(HERE))
    pusher = Pusher(ask, lambda rows: store.push("customer_deltas", rows))
    told = ""
    again_at = time.monotonic()
    for lines in lines_of(sys.stdin.fileno(), AGAIN_SECONDS):
        moved = pusher.take(lines)
        if pusher.waiting and time.monotonic() >= again_at:
            moved = list(pusher.waiting)
            again_at = time.monotonic() + AGAIN_SECONDS
        told = report(pusher, pusher.turn(moved), told)
    if pusher.waiting:
        why = pusher.turn(list(pusher.waiting))
        if pusher.waiting:
            sys.exit(f"error: {len(pusher.waiting)} customers were not pushed: {why}")


def report(pusher: Pusher, why: str, told: str) -> str:
    """Prints why customers wait, where that is news; returns it."""
    now = why or (told if pusher.waiting else "")
    if now != told:
        text = f"{len(pusher.waiting)} customers wait: {now}" if now else "all is pushed"
        print(text, file=sys.stderr, flush=True)  # noqa: T201 # for who runs it
    return now


if __name__ == "__main__":
    try:
        main()
    except FeastError as failure:
        sys.exit(f"error: {failure}; `feast apply` registers the features")
    except KeyboardInterrupt:
        sys.exit(130)
