"""R15 on real servers: records that are gone from Kafka, and docs/runbook.md's way out of that, to its end."""

import re
import shlex
import signal
import subprocess
from collections import Counter
from typing import Final

import psutil
import pytest
from confluent_kafka import TopicPartition

from batch_layer.master import archive
from batch_layer.master import table as master
from batch_layer.run import run
from common.algebra.losses import Range
from common.errors import LogError
from common.log.partition import partition_of
from common.servers import kafka
from common.settings import Settings
from infra.paths import ROOT
from infra.proof.comparison import ask_all
from tests.support.builders import AS_OF, Message, random_messages
from tests.support.dying import environment, program
from tests.support.harness import wait_until
from tests.support.jobs import Jobs
from tests.support.speed_system import produce
from tests.support.stage import Stage

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]
PAGE: Final = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
EXAMPLE: Final = "0:1200:1300"
"""The range that the page's commands name."""
COMMAND_SECONDS: Final = 280.0
PATIENCE: Final = 240.0
PAUSED_BEFORE_ITS_COMMIT: Final = """
import os, signal, sys, time
from batch_layer.job import Job
from batch_layer.master import archive, table
from batch_layer.session import spark_session
from common.servers.cassandra import connected
from common.settings import load_settings
from infra.paths import JARS

settings, commit, paused = load_settings(os.environ), table.replace, []

def pause_once(*args, **kwargs):
    if not paused:
        paused.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)
    return commit(*args, **kwargs)

table.replace = pause_once
with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
    job = Job(settings, spark, session, clock=lambda: time.time_ns() // 1000, report=lambda *_: None)
    print(archive.archive(job).cut.offsets)
"""


def commands(section: str, lost: Range) -> list[list[str]]:
    """The commands of the page's section, with the range that is really lost."""
    text = re.search(rf"^## {re.escape(section)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert text is not None
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text[1], re.DOTALL) for line in block.splitlines()]
    found = [shlex.split(line.replace(EXAMPLE, str(lost))) for line in lines if line.strip()]
    assert all(program == "lambda360" for program, *_ in found)
    return [words for _, *words in found]


def delete_below(settings: Settings, partition: int, offset: int) -> None:
    """Kafka no longer holds the partition's records below the offset."""
    client = kafka.admin(settings)
    asked = client.delete_records([TopicPartition(settings.log.topic, partition, offset)])
    for answer in asked.values():
        assert answer.result().low_watermark == offset


def told(scene: Stage, *words: str, code: int = 0) -> str:
    """What the command prints; it ends with `code`."""
    child = scene.start(*words, name=words[0])
    assert child.process.wait(COMMAND_SECONDS) == code, child.tail()
    return child.output.read_text(errors="replace")


def statuses(scene: Stage, lost: Range) -> Counter[tuple[bool, str, str]]:
    """How many customers, by whether they are of the lost range's partition, status and reason."""
    entries = ask_all(scene.url, scene.oracle.mentioned, AS_OF)
    return Counter(
        (
            partition_of(entry["customer_id"], scene.partitions) == lost.partition,
            entry["provenance"]["status"],
            "; ".join(entry["provenance"]["reasons"]),
        )
        for entry in entries
    )


def make_the_hole(scene: Stage, jobs: Jobs) -> tuple[Range, list[Message]]:
    """Returns what is lost of one partition, and its records: some were applied, some by nobody, none archived."""
    worker = scene.start("speed", "run", name="before")
    produce(scene.settings, random_messages(seed=61, count=300))
    assert run(jobs()) is not None
    produce(scene.settings, random_messages(seed=62, count=300))
    scene.wait_applied(scene.ends())
    applied = scene.progress()
    assert worker.stop() == 0
    produce(scene.settings, random_messages(seed=63, count=300))
    scene.check(AS_OF)  # the oracle has read it all
    ends = scene.ends()
    head = master.head(jobs())
    assert head is not None
    partition = max(ends, key=lambda each: ends[each] - applied[each])
    lost = Range(partition, head.offsets[partition], (applied[partition] + ends[partition]) // 2)
    assert lost.start < applied[partition] < lost.end < ends[partition]
    delete_below(scene.settings, partition, lost.end)
    records = [r for r in scene.log.records if r.partition == partition and lost.start <= r.offset < lost.end]
    return lost, [Message(record.key, record.value, partition) for record in records]


def test_r15_the_way_out_of_a_loss_works_to_its_end_as_the_runbook_gives_it(scene: Stage, scene_jobs: Jobs) -> None:
    """R12, R13: everybody refuses and names the way; then degraded by that name, and exact once it is declared sent."""
    lost, records = make_the_hole(scene, scene_jobs)
    doctor, rebuild, wait, batch, *rest = commands("Records are gone from Kafka", lost)

    refusal = told(scene, *batch, code=7)
    assert f"--accept-loss {lost}" in refusal
    assert "docs/runbook.md" in refusal
    refusing = scene.start("speed", "run", name="refusing")
    assert refusing.process.wait(PATIENCE) == 1
    assert "docs/runbook.md" in refusing.tail()
    assert f"--accept-loss {lost}" in told(scene, *doctor, code=1)
    wider = str(lost._replace(start=lost.start - 1))
    assert "the master holds every record" in told(
        scene, "speed", "rebuild", "--accept-loss", wider, "--reason", "r", "--yes", code=2
    )

    assert "facts that the speed tables hold of the lost records" in told(scene, *rebuild, "--yes")
    worker = scene.start("speed", "run", name="after")
    told(scene, *wait)
    told(scene, *batch)
    head = master.head(scene_jobs())
    assert head is not None
    assert head.losses == (lost,)
    found = statuses(scene, lost)
    degraded = {reason for here, status, reason in found if here and status == "degraded"}
    reason = (
        f"records {lost.start} to {lost.end - 1} of partition {lost.partition} were lost, and are not yet declared as "
        f"sent again (`lambda360 speed declare-sent {lost}`)"
    )
    assert degraded == {reason}
    assert {status for here, status, _ in found if not here} == {"exact"}

    produce(scene.settings, records)
    for words in rest:
        told(scene, *words)

    wait_until(lambda: scene.check(AS_OF).right, PATIENCE, f"every answer is exact: {scene.check(AS_OF)}", every=1.0)
    told(scene, *batch)
    assert scene.check(AS_OF).right
    assert worker.stop() == 0


def test_r15_a_log_that_ends_below_what_was_archived_is_refused_and_leads_to_a_restore(jobs: Jobs) -> None:
    """R25: offsets would be used twice."""
    produce(jobs.settings, random_messages(seed=64, count=40))
    archived = archive.archive(jobs())
    job = jobs()
    head = master.head(job)
    assert head is not None
    beyond = type(archived.cut).of({p: offset + 5 for p, offset in archived.cut.offsets.items()})
    after = archive.head_after(job, archive.checked_identity(job), head.archive_id, beyond, ())
    rows = master.at_snapshot(job, head.snapshot).limit(0)
    master.replace(job, rows, planned_from=head.snapshot, head_after=after, replaced=master.added_by(-1))

    produce(jobs.settings, random_messages(seed=65, count=4))
    with pytest.raises(LogError, match=r'docs/runbook\.md, "The log ends too early: restore"'):
        archive.archive(jobs())


def test_r15_of_two_archivers_on_one_range_the_one_that_is_continued_late_appends_nothing(jobs: Jobs) -> None:
    """It was stopped between its read and its commit."""
    produce(jobs.settings, random_messages(seed=66, count=60))
    late = subprocess.Popen(
        program(PAUSED_BEFORE_ITS_COMMIT),
        env=environment(jobs.settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        stopped = psutil.Process(late.pid)
        wait_until(lambda: stopped.status() == psutil.STATUS_STOPPED, 120, "the first archiver is about to commit")
        archived = archive.archive(jobs())
        late.send_signal(signal.SIGCONT)
        output, _ = late.communicate(timeout=120)
    finally:
        late.kill()

    assert (late.returncode, output.strip()) == (0, str(archived.cut.offsets))
    rows = master.at_snapshot(jobs(), archived.snapshot)
    head = master.head(jobs())
    assert head is not None
    assert (head.snapshot, head.archive_id) == (archived.snapshot, 1)
    assert rows.count() == rows.select("kafka_partition", "kafka_offset").distinct().count() == 60
