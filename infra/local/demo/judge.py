"""Judges every served answer of the demo by the oracle, over the same log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from common.errors import StackError
from common.settings import Settings
from infra.local.demo.purchases import AS_OF
from infra.proof.comparison import Verdict, ask, compare
from infra.proof.log_reader import LogReader
from infra.proof.oracle import Oracle

_FEW: Final = 200
_TIMEOUT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stop:
    """The result of checking every answer at one point of the story."""

    name: str
    records: int
    verdict: Verdict


class Judge:
    """Compares the answers that are served at `url` with the oracle's."""

    def __init__(self, settings: Settings) -> None:
        self.url = f"http://{settings.serving.host}:{settings.serving.port}"
        self._log = LogReader(settings, settings.log.partitions)
        self._oracle = Oracle((), settings.log.partitions, settings.log.currency)
        self.stops: list[Stop] = []

    def ready(self) -> bool:
        """Returns whether the API is ready to answer."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    def check(self, name: str) -> Stop:
        """Asks for every customer of the log, judges the answers, and keeps the result in `stops`.

        Raises StackError if the API does not answer.
        """
        self._oracle.extend(self._log.refresh())
        try:
            verdict = compare(self.url, self._oracle, self._oracle.mentioned, AS_OF)
        except httpx.HTTPError as error:
            raise StackError(f"the API at {self.url} did not answer as it should: {error}") from error
        stop = Stop(name, len(self._log.records), verdict)
        self.stops.append(stop)
        return stop

    @property
    def all_right(self) -> bool:
        return all(stop.verdict.right for stop in self.stops)

    def few(self, customers: Iterable[str]) -> Mapping[str, Any]:
        """Returns the served metrics and profiles of the first 200 of the customers, by id.

        Raises StackError if the API does not answer.
        """
        ids = sorted(set(customers))[:_FEW]
        try:
            with httpx.Client(base_url=self.url, timeout=_TIMEOUT_SECONDS) as client:
                results = ask(client, ids, AS_OF)
                return {result["customer_id"]: (result["metrics"], result["profile"]) for result in results}
        except httpx.HTTPError as error:
            raise StackError(f"the API at {self.url} did not answer as it should: {error}") from error

    def one(self, customer: str) -> tuple[str, str]:
        """Returns the URL of one customer's answer, and the answer as it is served."""
        url = f"{self.url}/v1/customers/{customer}/metrics?as_of={AS_OF.isoformat()}"
        return url, httpx.get(url, timeout=_TIMEOUT_SECONDS).text
