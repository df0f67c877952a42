"""`lambda360 restore`: what is checked, what is appended, and what is told (R25)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.archive import checked_identity
from batch_layer.master.raw import Records
from batch_layer.master.table import Head
from batch_layer.watch import watched
from common.algebra.losses import Range
from common.errors import LogError, UsageError
from common.servers import journal, kafka
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from infra.operate.erasure import ledger
from infra.operate.erasure.erase import Asked, Eraser
from infra.operate.restore.erasures import not_restored
from infra.operate.restore.missing import check_same, missing
from infra.sending import Sender

AGAIN: Final = "run the same command again: it goes on where this one stopped"


@dataclass(frozen=True, slots=True)
class Backup:
    """What is restored: the master of a keyspace, and ranges of an old topic behind it."""

    keyspace: str
    topic: str | None = None
    tail: tuple[Range, ...] = ()

    def settings(self, settings: Settings) -> Settings:
        """Returns `settings` with the keyspace and the topic of the backup in the place of its own."""
        cassandra = settings.cassandra.model_copy(update={"keyspace": self.keyspace})
        log = settings.log.model_copy(update={"topic": self.topic or settings.log.topic})
        return settings.model_copy(update={"cassandra": cassandra, "log": log})


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    records: int
    """That it appended."""
    held: int
    """That were in the new log before."""
    losses: tuple[Range, ...]
    """Ranges of the old log that its master lacks, as an operator accepted."""
    erased: tuple[str, ...]
    """Customers who were erased again."""


def restore(job: Job, backup: Backup, ledger_file: Path, reason: str) -> Restored:
    """Appends the backup to the log of `job`, and then the erasures of the ledger that the backup lacks.

    A restore that was killed goes on where it stopped. Raises UsageError for a backup that is not there or does not fit
    the log, and LogError for a log that holds other records; both before anything is appended.
    """
    identity = checked_identity(job)
    old = Job(backup.settings(job.settings), job.spark, job.session, clock=job.clock, report=job.report)
    head = _head(old, identity)
    records = Records.of(old, head, backup.tail, _topic(old, backup, head, identity))
    counted = records.counted()
    held = _held(job, identity, records, counted)
    wanted = sum(counted.values())
    job.done("compare", f"{wanted} records to restore, {sum(held.values())} of them in the log already")
    what = f"the log {identity.topic!r}, from the master of keyspace {backup.keyspace!r}"
    entry = journal.Entry(at=job.clock(), who=job.who, action="restore", what=what, reason=reason)
    journal.record(job.session, entry)
    sender = Sender(job.settings, AGAIN)
    with watched(job, "append", wanted):
        for record in missing(records.in_order(), held):
            sender.send(record.key, record.value, record.at.partition)
        sender.finish()
    job.done("append", f"{sender.acknowledged} records")
    erased = _erase_again(job, identity, head, backup, ledger_file)
    job.done("erase again", f"{len(erased)} customers that the ledger names")
    journal.done(job.session, entry)
    return Restored(sender.acknowledged, sum(held.values()), head.losses, erased)


def _head(old: Job, identity: LogIdentity) -> Head:
    """Returns the head of the backup's master, of which `identity` is not the log."""
    keyspace = old.settings.cassandra.keyspace
    if not master.exists(old):
        rule = f"a keyspace with a master dataset in {old.settings.warehouse}"
        raise UsageError("--from", keyspace, rule)
    head = master.head(old)
    if head is None:
        raise UsageError("--from", keyspace, "a keyspace whose master holds records: nothing was ever archived there")
    if head.topic_id == identity.topic_id:
        rule = f"another log than the one that {keyspace!r} was archived from: name a new one, and `schema apply`"
        raise UsageError("LAMBDA360_LOG_TOPIC", identity.topic, rule)
    if len(head.offsets.offsets) != identity.partitions:
        rule = f"as many partitions as the old log had, {len(head.offsets.offsets)}: a customer's partition follows"
        raise UsageError("LAMBDA360_LOG_PARTITIONS", identity.partitions, rule)
    return head


def _topic(old: Job, backup: Backup, head: Head, identity: LogIdentity) -> LogIdentity | None:
    """Returns the old topic, if a tail is to be read from it, and checks that each range may follow the master."""
    if backup.topic is None or not backup.tail:
        return None
    if backup.topic == identity.topic:
        raise UsageError("--tail-topic", backup.topic, "another topic than the new log")
    found = kafka.topic_identity(old.settings, backup.topic)
    firsts, ends = (read(old.settings, found.partitions) for read in (kafka.first_offsets, kafka.end_offsets))
    for number, each in enumerate(backup.tail):
        least = max(head.offsets[each.partition], firsts.get(each.partition, 0))
        most = ends.get(each.partition, 0)
        if each.partition >= identity.partitions or not least <= each.start < each.end <= most:
            rule = f"a range of a partition below {identity.partitions}, from {least} on, where the master and what is "
            raise UsageError("--tail", str(each), f"{rule}deleted end, to {most}, where the topic ends")
        if each.partition in (other.partition for other in backup.tail[:number]):
            raise UsageError("--tail", str(each), "the only range of its partition")
    return found


def _held(job: Job, identity: LogIdentity, records: Records, counted: Mapping[int, int]) -> Mapping[int, int]:
    """Returns how many of the records the new log holds, by partition: the first ones, as the last of them shows.

    Behind all of them there may be others: erasures that a killed restore has applied again, or what came since.
    """
    for partition, first in kafka.first_offsets(job.settings, identity.partitions).items():
        if first:
            raise LogError(
                f"partition {partition} of the new log begins at {first}, so it has lost records; make another"
            )
    ends = kafka.end_offsets(job.settings, identity.partitions)
    held = {partition: min(end, counted.get(partition, 0)) for partition, end in ends.items()}
    for partition, count in held.items():
        if count:
            last = Records.of_topic(job, identity, [Range(partition, count - 1, count)])
            check_same(last.nth(partition, 1), records.nth(partition, count))
    return held


def _erase_again(job: Job, identity: LogIdentity, head: Head, backup: Backup, file: Path) -> tuple[str, ...]:
    eraser = Eraser(job.settings, job.session, job.clock)
    own = ledger.read(eraser.ledger)
    later = not_restored(ledger.read(file), head, backup.tail, identity.topic_id, own)
    for each in later:
        eraser.erase(Asked(each.customer_id, job.who, each.reason, again_of=each.id))
    return tuple(each.customer_id for each in later)
