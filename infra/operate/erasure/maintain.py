"""The maintenance of erasures: removes what they forget from every place, one after another (R24).

The order makes it resumable: the master, in which the erasures and the records that they forget are found, is the last
of the places that depend on it. Killed anywhere, the same call finishes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from batch_layer.erasure import found, quarantine, rankings, slots, warehouse
from batch_layer.erasure import master as erased_master
from batch_layer.erasure.warehouse import Exported
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Head
from batch_layer.view import publish
from common.algebra.cut import Cut
from common.errors import ClaimLost
from common.log.erasure import Erasure
from common.log.position import Position
from common.waiting import read_progress
from infra.operate.erasure import files, generations, ledger, lineage, nodes, texts, topics
from infra.operate.erasure.topics import Cleared


@dataclass(frozen=True, slots=True)
class Place:
    """What was done in one place, and what is left there and why."""

    name: str
    figures: str
    left: Sequence[str] = ()


@dataclass(slots=True)
class Maintained:
    """The account of a maintenance."""

    erasures: int = 0
    """Customers whose erasure was dealt with; of several erasures of one customer the last counts."""
    waiting: list[str] = field(default_factory=list)
    """Positions of erasures that are not archived, or not applied by the speed layer, yet."""
    places: list[Place] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    """What an operator has to do or run, since this command cannot reach it."""


class Maintenance:
    """One run. `report` is called with each place once it is done."""

    def __init__(self, job: Job, report: Callable[[Place], None]) -> None:
        self._job = job
        self._settings = job.settings
        self._session = job.session
        self._report = report
        self.account = Maintained()

    def run(self) -> Maintained:
        """Removes what is forgotten by each erasure that is archived and applied. Idempotent.

        Raises ClaimLost, before anything is removed, while a run of a batch is unfinished.
        """
        master.ensure(self._job)
        head = master.head(self._job)
        if head is None:
            return self.account
        ready = self._ready(head)
        self.account.erasures = len(ready)
        if ready:
            self._refuse_an_open_run()
            self._remove(ready, self._rejected(head, ready), head.offsets)
        return self.account

    def _ready(self, head: Head) -> list[Erasure]:
        """Returns the erasures to deal with, and keeps the positions of the others."""
        applied = self._applied()
        archived = found.erasures(master.at_snapshot(self._job, head.snapshot))
        ready = [each for each in archived if applied.get(each.position.partition, 0) > each.position.offset]
        late = {str(each.position) for each in archived} - {str(each.position) for each in ready}
        for entry in ledger.read(self._settings.erasure_ledger):
            if entry.topic_id == head.topic_id and entry.position is not None:
                position = Position.parse(entry.position)
                if position.offset >= head.offsets[position.partition]:
                    late.add(entry.position)
        self.account.waiting = sorted(late)
        return ready

    def _applied(self) -> dict[int, int]:
        progress = read_progress(self._session)
        return {each.partition: each.next_offset for each in progress.values()}

    def _refuse_an_open_run(self) -> None:
        if claims := publish.read(self._session).claims:
            raise ClaimLost(
                f"batch {claims[0].batch_id} is not finished, and its snapshot would go: finish it by `lambda360 batch "
                "run`, and run this again; nothing was removed"
            )

    def _rejected(self, head: Head, ready: list[Erasure]) -> list[Position]:
        rows = master.at_snapshot(self._job, head.snapshot).where("customer_id IS NULL")
        kept = found.forgotten(self._job, rows, ready).collect()
        return sorted(Position(row["kafka_partition"], row["kafka_offset"]) for row in kept)

    def _remove(self, ready: list[Erasure], rejected: list[Position], archived: Cut) -> None:
        applied = self._applied()
        removable = {partition: min(archived[partition], applied.get(partition, 0)) for partition in archived.offsets}
        self._topic(topics.clear_log(self._settings, ready, rejected, removable))
        for cleared in topics.clear_copies(self._settings, ready, self._job.clock()):
            self._topic(cleared)
        self._in_cassandra(ready)
        self._in_files(ready, rejected)
        self._in_iceberg(ready)
        self._in_cassandras_files()

    def _topic(self, cleared: Cleared) -> None:
        self._done(f"topic {cleared.topic}", f"{cleared.removed} records", cleared.left)

    def _in_cassandra(self, ready: list[Erasure]) -> None:
        session = self._session
        erased = {each.customer_id: each for each in ready}
        self._done("dead letters", f"{texts.remove_letters(session, erased)} rows")
        self._done("notifications", f"{texts.remove_notifications(session, erased)} rows")
        self._done("journal and manifests", f"{texts.scrub(session, ready)} texts")
        self._done("slots", f"{slots.remove(self._job, ready)} rows")
        self._done("rankings", f"{rankings.remove(self._job, ready)} rows")
        self._done("speed tables", f"{generations.reset(session, self._settings, ready)} tables")

    def _in_files(self, ready: list[Erasure], rejected: list[Position]) -> None:
        home = self._settings.home
        customers = [each.customer_id for each in ready]
        logs = files.scrub_logs(home, customers, rejected)
        self._done(f"logs in {home}", f"{logs.lines} lines of {logs.files} files")
        rows, unreachable = files.scrub_rejects(home, customers)
        left = [f"{path} cannot be read or written: delete it, or the customers' rows in it" for path in unreachable]
        self._done("files of rejected rows", f"{rows.lines} rows of {rows.files} files", left)
        events, left = lineage.scrub(self._settings, ready)
        self._done("lineage", f"{events} events", left)

    def _in_iceberg(self, ready: list[Erasure]) -> None:
        removed = quarantine.remove(self._job, ready)
        self._done("quarantine", "no such table" if removed is None else removed.figures)
        for place, table in (("warehouse", Exported.WAREHOUSE), ("features", Exported.FEATURES)):
            exported = warehouse.remove(self._job, ready, table)
            self._done(place, "no such table" if exported is None else exported.figures)
        self._done("master", erased_master.remove(self._job, ready).figures)

    def _in_cassandras_files(self) -> None:
        tables = nodes.concerned(generations.tables(self._session, self._settings))
        if nodes.is_local(self._settings):
            nodes.compact(self._session, self._settings, tables)
            self._done("Cassandra's files", f"{len(tables)} tables compacted; commit log and snapshots cleared")
        else:
            self.account.by_hand += nodes.by_hand(self._settings, tables)

    def _done(self, name: str, figures: str, left: Sequence[str] = ()) -> None:
        place = Place(name, figures, left)
        self.account.places.append(place)
        self._report(place)
