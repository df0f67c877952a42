"""Runs the demo's story, act by act. Most acts end at a stop, where every answer is checked."""

from collections.abc import Sequence
from typing import Final

from common.errors import StackError
from common.settings import Settings
from infra.local.demo.changes import write_changes
from infra.local.demo.crew import Crew
from infra.local.demo.feed import Feed
from infra.local.demo.judge import Judge
from infra.local.demo.narrator import Narrator
from infra.local.demo.people import customer_to_show, write_profiles
from infra.local.demo.purchases import AS_OF, Purchase, parts
from infra.local.stack import servers
from infra.schema import apply as schema

IMPORT_SECONDS: Final = 60.0
READY_SECONDS: Final = 60.0
WAIT_SECONDS: Final = 600
BATCH_SECONDS: Final = 600.0
PACE_SECONDS: Final = 2.0
"""The time between two months of orders while the batch runs."""
_BELOW_THE_CUT: Final = 4
"""So many months are sent before the batch has archived the log. The orders of the others lie above its cut."""


class Story:
    """The demo's acts. `run` runs them in their order."""

    def __init__(self, settings: Settings, crew: Crew, narrator: Narrator) -> None:
        self._settings = settings
        self._crew = crew
        self._narrator = narrator
        self._judge = Judge(settings)
        self._feed = Feed(settings, settings.home / "files", narrator.say, crew.check)
        self._moved: set[str] = set()

    def run(self, purchases: Sequence[Purchase]) -> bool:
        """Runs all acts. Returns whether every answer at every stop was right, and no answer moved without a reason."""
        first, months = parts(purchases)
        self._set_up()
        self._first_part(first)
        self._batch_while_streaming(months)
        self._changes(first)
        self._second_batch(first)
        self._close(first)
        return self._judge.all_right and not self._moved

    def _set_up(self) -> None:
        self._narrator.act(
            "Setting up",
            "A real Kafka and a real Cassandra start on this machine, then a worker of the speed layer and the API.",
        )
        servers.up(self._settings, self._narrator.say)
        schema.apply(self._settings, self._narrator.say)
        self._crew.serve("speed-worker", "speed", "run")
        self._crew.serve("api", "serve")
        if not self._crew.wait(self._judge.ready, READY_SECONDS):
            raise StackError(f"the API is not ready after {READY_SECONDS:.0f} s; see {self._settings.home / 'logs'}")
        self._narrator.say(f"the API is ready at {self._judge.url}")
        self._narrator.say(f"watch the story on the dashboard while it is told: {self._dashboard()}")

    def _dashboard(self, customer: str | None = None) -> str:
        """Returns the dashboard's address, as of the last day of the data: of one customer, or of all."""
        shown = "" if customer is None else f"customers/{customer}"
        return f"{self._judge.url}/dashboard#/{shown}?as_of={AS_OF.isoformat()}"

    def _first_part(self, orders: list[Purchase]) -> None:
        self._narrator.act(
            "1. Purchases arrive, and no batch has run yet",
            "Orders of 1997, until September, go into the log: one Kafka topic that keeps everything in order.",
            "The speed layer applies each one and notes what it changed (a delta). Answers come from deltas alone.",
            "The data has purchases only: what a customer is (age, country, segment) is made up from its id.",
        )
        self._feed.orders("1997-01 to 1997-09", orders)
        self._profiles(orders)
        self._stop("1. speed")

    def _profiles(self, orders: list[Purchase]) -> None:
        """Imports the profiles by the command that a user has."""
        path = write_profiles(self._feed.folder, orders)
        command = self._crew.begin("import-profiles", "import", "profile", str(path))
        self._crew.finish(command, IMPORT_SECONDS)
        self._narrator.say(f"lambda360 import profile {path.name}: {command.lines()[0]}")

    def _batch_while_streaming(self, months: list[list[Purchase]]) -> None:
        self._narrator.act(
            "2. A batch runs while purchases keep coming in",
            "The batch archives the log up to an offset in each partition, the cut, and computes everything below it.",
            "From then on an answer is the batch's state + the deltas from the cut on: nothing missed, nothing twice.",
        )
        batch = self._crew.begin("batch-1", "batch", "run")
        for orders in months[:_BELOW_THE_CUT]:
            self._feed.month(orders)
            self._crew.wait(lambda: batch.ended, PACE_SECONDS)
        self._crew.wait(lambda: batch.ended or batch.wrote("archive "), BATCH_SECONDS)
        for orders in months[_BELOW_THE_CUT:-1]:
            self._feed.month(orders)
        self._crew.finish(batch, BATCH_SECONDS)
        self._narrator.steps(batch.lines())
        self._feed.month(months[-1])
        self._stop("2. batch lands")

    def _changes(self, orders: list[Purchase]) -> None:
        self._narrator.act(
            "3. The past changes",
            "Orders that the batch absorbed long ago are corrected or cancelled; some arrive a year late, or twice.",
            "Some orders, tickets and profiles are taken back as if they had never been; some orders come back.",
            "A delta is the difference between an order before and after, so it corrects the batch's sums exactly.",
        )
        for change in write_changes(self._feed.folder, orders):
            self._feed.file(change.kind, change.path, change.story)
        self._stop("3. corrections")

    def _second_batch(self, orders: list[Purchase]) -> None:
        self._narrator.act(
            "4. A second batch absorbs the changes",
            "Nothing new comes in, so no answer may move: before, while and after the new batch lands.",
            "Answers only become cheaper: the deltas below the new cut are no longer needed.",
        )
        customers = [order.customer_id for order in orders[::30]]
        before = self._judge.few(customers)
        asked = 0

        def watch() -> None:
            nonlocal asked
            asked += 1
            now = self._judge.few(customers)
            self._moved |= {customer for customer, answer in before.items() if now[customer] != answer}

        batch = self._crew.begin("batch-2", "batch", "run")
        self._crew.finish(batch, BATCH_SECONDS, meanwhile=watch)
        watch()
        self._narrator.steps(batch.lines())
        moved = f"{len(self._moved) or 'no'} answers moved"
        self._narrator.say(f"{len(before)} changed customers were asked for {asked} times meanwhile: {moved}")
        self._stop("4. second batch")

    def _close(self, orders: list[Purchase]) -> None:
        customer = customer_to_show(orders)
        url, answer = self._judge.one(customer)
        self._narrator.act(f"Customer {customer}, with a corrected and a refunded order, and a made-up profile", url)
        self._narrator.json(answer)
        self._narrator.next_steps(self._settings, url, customer, self._dashboard(customer))

    def _stop(self, name: str) -> None:
        """Waits until the speed layer has applied the log's end, then checks the answer of every customer."""
        waiting = self._crew.begin("speed-wait", "speed", "wait", "--timeout", str(WAIT_SECONDS))
        self._crew.finish(waiting, WAIT_SECONDS + 30.0)
        self._narrator.say("the speed layer has applied the log's end; every customer is checked now")
        stop = self._judge.check(name)
        self._narrator.stops(self._judge.stops)
        if not stop.verdict.right:
            self._narrator.fault(stop)
