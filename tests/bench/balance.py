"""`make balance`: a million records, one in a hundred of them poison, to the record.

Every record that the worker received is applied, repeated, stale or dead, and the sums are those of a second count over
the log. Each poison record is a dead letter once. Half of the poison are good records in a wrong partition: `replay`
puts them right, and then every customer's answer is the oracle's.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

from rich.console import Console

from common import logs
from common.log.partition import partition_of
from infra.operate.workers.status import status
from infra.proof.log_reader import LogReader
from infra.proof.oracle import RawRecord
from infra.proof.oracle_reading import Entry, read
from infra.proof.oracle_values import Invalid
from tests.bench.throughput import peak_mebibytes
from tests.support.builders import AS_OF, Message, random_messages
from tests.support.copies import tally_alerts, tally_deltas
from tests.support.stage import Load, Stage, own_stack, stage

CUSTOMERS: Final = 20_000
POISON: Final = 0.005
MISPLACED: Final = 0.005
ERASURES: Final = 0.0002
OUTCOMES: Final = ("applied", "repeated", "stale", "dead", "again")
PATIENCE_SECONDS: Final = 3600.0
T = TypeVar("T")


@dataclass
class Report:
    """Prints each check, and remembers whether one failed."""

    console: Console
    failed: int = 0

    def check(self, what: str, found: object, expected: object) -> None:
        right = found == expected
        self.failed += not right
        self.console.print(
            f"{'ok   ' if right else 'WRONG'} {what}: {found}{'' if right else f', expected {expected}'}"
        )


@dataclass
class Count:
    """What becomes of each record of a log, by R3 and R4 alone, one after the other."""

    partitions: int
    outcomes: Counter[str] = field(default_factory=Counter)
    _current: dict[tuple[str, str, str], Entry] = field(default_factory=dict)

    def take(self, record: RawRecord) -> None:
        try:
            entry = read(record, self.partitions, "USD")
        except Invalid:
            self.outcomes["dead"] += 1
            return
        if entry.kind == "customer":
            self._current = {key: held for key, held in self._current.items() if key[0] != entry.customer_id}
            self.outcomes["applied"] += 1
            return
        key = entry.customer_id, entry.kind, entry.entity_id
        held = self._current.get(key)
        if held is not None and entry.version < held.version:
            self.outcomes["stale"] += 1
        elif held is not None and (entry.version, entry.fields) == (held.version, held.fields):
            self.outcomes["repeated"] += 1
        else:
            self._current[key] = entry
            self.outcomes["applied"] += 1


def main() -> int:
    options = argparse.ArgumentParser(prog="make balance", description=__doc__)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    report = Report(Console(width=140))
    with own_stack() as stack, stage(stack) as scene:
        _balance(scene, report, chosen.records, chosen.seed)
    report.console.print("balanced" if not report.failed else f"{report.failed} checks failed")
    return 1 if report.failed else 0


def _balance(scene: Stage, report: Report, records: int, seed: int) -> None:
    worker = scene.start("speed", "run")
    _timed(report, f"{records} records sent and applied", lambda: _send(scene, records, seed))
    log, count = LogReader(scene.settings, scene.partitions), Count(scene.partitions)
    for record in log.refresh():
        count.take(record)
    counts = _counts(scene)
    report.check("records received", counts["received"], records)
    report.check("applied + repeated + stale + dead + again", sum(counts[name] for name in OUTCOMES), records)
    for name in OUTCOMES:
        report.check(f"  {name}", counts[name], count.outcomes[name])
    report.console.print(f"      worker's memory after them: {peak_mebibytes(worker):.0f} MiB at its peak")
    _letters(scene, report, log.records)
    misplaced, erased = _misplaced(log.records, scene.partitions)
    report.console.print(f"      misplaced records: {len(misplaced)}, and {erased} whose customer was erased since")
    replay = scene.start("dead-letters", "replay", "--all", "--timeout", "600", name="replay")
    code = _timed(report, "replay of all dead letters", lambda: replay.process.wait(PATIENCE_SECONDS))
    report.console.print(replay.tail(600))
    report.check("replay's exit code (3: some are still rejected)", code, 3)
    _wait_applied(scene)
    new = log.refresh()
    report.check("records replayed", len(new), len(misplaced))
    for record in new:
        count.take(record)
    after = _counts(scene)
    for name in OUTCOMES:
        report.check(f"  {name}, with the replayed", after[name], count.outcomes[name])
    verdict = scene.check(AS_OF)
    report.check("wrong answers", verdict.wrong, 0)
    report.check("exact answers, of all customers", verdict.exact, verdict.customers)
    for name, tally in (("deltas", tally_deltas), ("alerts", tally_alerts)):
        found = tally(scene.settings, scene.session, scene.partitions)
        report.check(f"{name} missing in their topic, of {found.stored}", len(found.missing), 0)
        report.check(
            f"{name} that differ from their row, or are not stored", (found.different, found.unknown), ((), ())
        )


def _letters(scene: Stage, report: Report, log: list[RawRecord]) -> None:
    """Every rejected record is a letter once, with its bytes and a reason; no other is."""
    expected = {(record.partition, record.offset): record.value for record in _rejected(log, scene.partitions)}
    query = "SELECT kafka_partition, kafka_offset, value, rejections FROM dead_letters"
    found = {(row.kafka_partition, row.kafka_offset): row for row in scene.session.execute(query)}
    report.check("dead letters", len(found), len(expected))
    report.check("  of them for a record that is none", len(found.keys() - expected.keys()), 0)
    report.check(
        "  with the record's bytes", sum(row.value == expected.get(key) for key, row in found.items()), len(found)
    )
    report.check(
        "  with one rejection, which says why", sum(len(row.rejections) == 1 for row in found.values()), len(found)
    )
    messages = LogReader(scene.settings, scene.partitions, scene.settings.log.errors_topic).refresh()
    report.check("messages in the errors' topic", len(messages), len(expected))


def _rejected(log: list[RawRecord], partitions: int) -> Iterator[RawRecord]:
    for record in log:
        try:
            read(record, partitions, "USD")
        except Invalid:
            yield record


def _misplaced(log: list[RawRecord], partitions: int) -> tuple[list[RawRecord], int]:
    """The rejected records that a replay brings in: they would be valid in their key's own partition.

    And how many of them it does not, because they would bring an erased customer back (R24).
    """
    erased, found, refused = _erasures(log, partitions), list[RawRecord](), 0
    for record in _rejected(log, partitions):
        customer = (record.key or b"").decode(errors="replace")
        own = partition_of(customer, partitions)
        if record.key and own != record.partition and (entry := _entry(record._replace(partition=own), partitions)):
            if entry.kind == "customer" or record.appended_at <= erased.get(customer, -1):
                refused += 1
            else:
                found.append(record)
    return found, refused


def _erasures(log: list[RawRecord], partitions: int) -> dict[str, int]:
    """The append time of each customer's last erasure."""
    entries = ((record, _entry(record, partitions)) for record in log if b"customer.erased" in (record.value or b""))
    return {entry.customer_id: record.appended_at for record, entry in entries if entry and entry.kind == "customer"}


def _entry(record: RawRecord, partitions: int) -> Entry | None:
    try:
        return read(record, partitions, "USD")
    except Invalid:
        return None


def _messages(records: int, seed: int, partitions: int) -> Iterator[Message]:
    random = Random(seed)
    mix = random_messages(seed, records, customers=CUSTOMERS, partitions=partitions, poison=POISON, erasures=ERASURES)
    for message in mix:
        if message.key and message.partition is None and random.random() < MISPLACED:
            own = partition_of(message.key.decode(errors="replace"), partitions)
            yield message._replace(partition=(own + 1) % partitions)
        else:
            yield message


def _send(scene: Stage, records: int, seed: int) -> None:
    Load(scene.settings, _messages(records, seed, scene.partitions), rate=1e9).send_all()
    _wait_applied(scene)


def _wait_applied(scene: Stage) -> None:
    scene.wait_applied(scene.ends(), PATIENCE_SECONDS)


def _counts(scene: Stage) -> Counter[str]:
    """What the one worker says of its records."""
    (worker,) = status(scene.settings, time.time_ns() // 1000).workers
    assert worker.vitals is not None, worker
    return Counter(worker.vitals.counts)


def _timed(report: Report, what: str, step: Callable[[], T]) -> T:
    began = time.monotonic()
    done = step()
    report.console.print(f"      {what}: {time.monotonic() - began:.0f} s")
    return done


if __name__ == "__main__":
    raise SystemExit(main())
