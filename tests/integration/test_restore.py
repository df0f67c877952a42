"""R25 on real servers: a log that was lost is filled again from its master, and everything is right on it."""

import dataclasses
import time
from typing import Final

import pytest
from cassandra.cluster import Session

from batch_layer.master import archive
from common.algebra.losses import Range
from common.log.partition import partition_of
from common.servers import journal
from common.settings import Settings
from infra.operate.erasure.erase import Asked, Eraser
from infra.proof.log_reader import LogReader
from infra.proof.oracle import RawRecord
from tests.support.builders import AS_OF, order, random_messages
from tests.support.dying import killed
from tests.support.harness import wait_until
from tests.support.jobs import Jobs
from tests.support.speed_system import PARTITIONS, produce
from tests.support.stage import Stage

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE: Final = 240.0
KILLED_WHILE_SENDING: Final = """
import os, signal, sys
from infra.cli import run
from infra.sending import Sender

send = Sender.send

def die(self, *record):
    if self.handed_over == 300:
        self.finish()
        os.kill(os.getpid(), signal.SIGKILL)
    send(self, *record)

Sender.send = die
run(["restore", "--from", "{keyspace}"])
"""


def bytes_of(settings: Settings) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """Keys and values of the log's records, by partition and in order."""
    found: dict[int, list[tuple[bytes | None, bytes | None]]] = {p: [] for p in range(PARTITIONS)}
    for record in sorted(LogReader(settings, PARTITIONS).refresh(), key=_place):
        found[record.partition].append((record.key, record.value))
    return found


def _place(record: RawRecord) -> tuple[int, int]:
    return record.partition, record.offset


def erased(settings: Settings, session: Session, customer_id: str) -> Range:
    """The customer is erased; returns the range that holds the erasure's record alone."""
    eraser = Eraser(settings, session, lambda: time.time_ns() // 1000)
    at = eraser.erase(Asked(customer_id, "op"))
    return Range(at.partition, at.offset, at.offset + 1)


def test_r25_a_restore_that_was_killed_goes_on_and_leaves_a_log_on_which_every_answer_is_right(
    system: Settings, jobs: Jobs, scene: Stage
) -> None:
    """Poison, archived erasures, records that no batch archived, and an erasure that nobody has but the ledger."""
    messages = random_messages(seed=71, count=900, customers=60)
    produce(system, messages)
    erased(system, jobs.session, "archived-erasure")
    produce(system, [order("archived-erasure", "came-back"), order("in-tail", "o1"), order("in-ledger", "o1")])
    archived = archive.archive(jobs())
    assert archived.rejected > 10
    produce(system, random_messages(seed=72, count=100, customers=60))
    of_tail = erased(system, jobs.session, "in-tail")
    old = bytes_of(system)
    tail = Range(of_tail.partition, archived.cut[of_tail.partition], of_tail.end)
    erased(system, jobs.session, "in-ledger")
    batch = scene.settings.batch.model_copy(update={"warehouse": system.warehouse})
    erasure = scene.settings.erasure.model_copy(update={"ledger": str(system.erasure_ledger)})
    settings = scene.settings.model_copy(update={"batch": batch, "erasure": erasure})
    here = dataclasses.replace(scene, settings=settings)
    keyspace = system.cassandra.keyspace

    killed(settings, KILLED_WHILE_SENDING.format(keyspace=keyspace))
    assert sum(scene.ends().values()) == 300
    command = [
        "restore",
        "--from",
        keyspace,
        "--tail-topic",
        system.log.topic,
        "--tail",
        str(tail),
        "--reason",
        "drill",
    ]
    said = here.start(*command).finish(PATIENCE)

    assert "300 were there before" in said
    assert "erased again, since the records do not hold it: 'in-ledger'" in said
    expected = {
        partition: records[: tail.end if partition == tail.partition else archived.cut[partition]]
        for partition, records in old.items()
    }
    again = partition_of("in-ledger", PARTITIONS)
    found = bytes_of(settings)
    assert found[again].pop()[0] == b"in-ledger"
    assert found == expected
    noted = [(each.reason, each.done) for each in journal.entries(scene.session, 9) if each.action == "restore"]
    assert noted == [("drill", True), ("", False)], "the first one was killed"
    worker = here.start("speed", "run")
    scene.wait_applied(scene.ends())
    here.start("batch", "run").finish(PATIENCE)
    wait_until(lambda: scene.check(AS_OF).right, PATIENCE, f"every answer is exact: {scene.check(AS_OF)}", every=1.0)
    repeated = here.start(*command).finish(PATIENCE)
    assert ": 0 records appended" in repeated
    assert "erased again" not in repeated
    assert worker.stop() == 0


def test_r25_a_log_with_other_records_or_a_wrong_backup_is_refused_and_nothing_is_appended(
    system: Settings, jobs: Jobs, scene: Stage
) -> None:
    produce(system, random_messages(seed=73, count=60))
    cut = archive.archive(jobs()).cut
    batch = scene.settings.batch.model_copy(update={"warehouse": system.warehouse})
    settings = scene.settings.model_copy(update={"batch": batch})
    here = dataclasses.replace(scene, settings=settings)
    keyspace = system.cassandra.keyspace
    produce(scene.settings, [order("stranger", "o1")])
    at = partition_of("stranger", PARTITIONS)
    beyond = f"{at}:{cut[at]}:{cut[at] + 5}"
    refusals = {
        ("--from", "nowhere"): (2, "a keyspace with a master dataset"),
        ("--from", keyspace): (1, f"record {at}:0 of the new log is not record {at}:0 of the old one"),
        ("--from", keyspace, "--tail-topic", system.log.topic, "--tail", beyond): (2, "where the topic ends"),
    }

    for options, (code, text) in refusals.items():
        child = here.start("restore", *options)
        assert child.process.wait(PATIENCE) == code, child.tail()
        assert text in child.tail()
    assert sum(scene.ends().values()) == 1
