"""Asks an API for all customers, again and again, while something is done to the system; the answers are kept."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.settings import Settings
from infra.proof.comparison import ask_all
from tests.support.builders import AS_OF
from tests.support.expected import Expected
from tests.support.reasons import Court, Seen, Tally
from tests.support.release import Versions
from tests.support.stage import Stage

_PAUSE_SECONDS: Final = 0.5
_PIN_SECONDS: Final = 0.5
"""An API answers by a pointer that it read so long ago, at most, while its reads do not fail."""


@dataclass(frozen=True, slots=True)
class Round:
    """One pass over all customers, between two looks at the tables."""

    before: Seen
    entries: Sequence[dict[str, Any]]
    after: Seen


class Asker(threading.Thread):
    """Asks the API at `url` until it is ended; the last round begins after that."""

    def __init__(self, scene: Stage, url: str) -> None:
        super().__init__(daemon=True)
        self._scene, self._url = scene, url
        self._customers = list(scene.oracle.mentioned)
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self.rounds: list[Round] = []

    def run(self) -> None:
        is_last = False
        try:
            while not is_last:
                is_last = self._ending.wait(_PAUSE_SECONDS if self.rounds else 0.0)
                time.sleep(_PIN_SECONDS if is_last else 0.0)
                self.rounds.append(self._round())
        except Exception as error:  # raised again where the thread is ended
            self._failure = error

    def end(self) -> list[Round]:
        """Returns every round, the last of which saw all that was done before this call. Raises what a round raised."""
        self._ending.set()
        self.join()
        if self._failure is not None:
            raise self._failure
        return self.rounds

    def _round(self) -> Round:
        before = Seen.now(self._scene.session)
        entries = ask_all(self._url, self._customers, AS_OF)
        return Round(before, entries, Seen.now(self._scene.session))


def judged(rounds: Sequence[Round], expected: Expected, versions: Versions, settings: Settings) -> Tally:
    """Returns the verdict on all rounds, of an API of these versions."""
    late = settings.serving.max_behind_seconds
    found = Tally()
    for each in rounds:
        moments = (each.before, each.after)
        found += Court(expected, versions, late, moments).tally(each.entries)
    return found
