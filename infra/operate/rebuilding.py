"""`lambda360 speed rebuild` and `declare-sent` on real servers: what they record, do and tell."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from batch_layer.job import Job
from batch_layer.master.archive import checked_identity
from batch_layer.rebuild import losses
from batch_layer.rebuild.run import Declarations, Rebuilt, rebuild
from batch_layer.view import publish
from common.algebra.losses import Range, declare_sent
from common.servers import journal
from common.servers.cassandra import connected
from common.settings import Settings
from infra.context import Report
from infra.operate.losses.held import held_of
from infra.operate.losses.resend import resend

SHOWN: Final = 10
"""The most customers or facts that are named one by one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator decided, for the journal; `clock` returns microseconds since the epoch (UTC)."""

    action: str
    who: str
    reason: str
    clock: Callable[[], int]

    def entry(self, what: str) -> journal.Entry:
        return journal.Entry(at=self.clock(), who=self.who, action=self.action, what=what, reason=self.reason)


def run(
    job: Job, tables: Declarations, lost: Sequence[Range], decision: Decision, report: Report, *, at_batch: bool = False
) -> Rebuilt:
    """Accepts `lost`, if there is any, and rebuilds the speed tables, up to the current batch's cut with `at_batch`.

    The journal names all of it. Run again after a kill, it goes on, or begins anew. Raises what `losses.check`,
    `resend` and `rebuild` raise.
    """
    if lost:
        losses.check(job, lost)
    skipped = "; workers go on at the batch's cut" if at_batch else ""
    accepted = f"; accepted as lost: {', '.join(map(str, lost))}" if lost else ""
    entry = decision.entry(f"the speed tables, from the log{skipped}{accepted}")
    journal.record(job.session, entry)
    if lost:
        _send_again(job, lost, report)
        losses.accept_losses(job, lost)
    done = rebuild(job, tables, at_batch=at_batch)
    journal.done(job.session, entry)
    return done


def declare(settings: Settings, sent: Range, decision: Decision) -> None:
    """The loss counts as sent again, and the journal says so. Idempotent. Raises UsageError for an unknown range."""
    with connected(settings) as session:
        declare_sent(publish.read(session), sent)  # refuses an unknown range before the journal has it
        entry = decision.entry(f"the lost range {sent} as sent again")
        journal.record(session, entry)
        publish.transition(session, lambda pointer: declare_sent(pointer, sent))
        journal.done(session, entry)


def lines_of(done: Rebuilt) -> Iterator[str]:
    """Yields what an operator should know after the switch."""
    yield (
        f"generation {done.generation} of the speed tables is served: {done.counts.records} records, "
        f"{done.counts.rows} rows. Workers move over by themselves; `lambda360 speed status` shows them"
    )
    yield f"The tables of generation {done.left} are kept until the next rebuild has switched."
    for each in done.unpublished:
        yield (
            f"partition {each.partition}: no worker applied the records {each.start} to {each.end - 1}. Answers have "
            "them; nobody publishes their copies, and they raise no alerts"
        )
    if done.letters:
        yield f"{done.letters:,} of them are dead letters, which are kept: `lambda360 dead-letters list`"


def _send_again(job: Job, lost: Sequence[Range], report: Report) -> None:
    """Appends to the log what the speed tables hold of the ranges, and reports what cannot be told by it."""
    partitions = checked_identity(job).partitions
    found = held_of(job.session, lost, partitions)
    unsaid = resend(job.settings, found.facts, partitions, job.clock())
    job.done("send again", f"{len(found.facts) - len(unsaid)} facts that the speed tables hold of the lost records")
    for held, error in unsaid[:SHOWN]:
        report(f"not sent again: {held.kind} {held.entity_id!r} of {held.customer_id!r}: {error}")
    if len(unsaid) > SHOWN:
        report(f"not sent again: {len(unsaid) - SHOWN} more")
    if found.unreadable:
        report(
            f"not sent again: {found.unreadable} facts that another release wrote, which may lie in the lost records"
        )
    if found.erased:
        shown = ", ".join(map(repr, found.erased[:SHOWN])) + (", …" if len(found.erased) > SHOWN else "")
        report(
            f"{len(found.erased)} customers were erased in the lost records, and are known again after this rebuild: "
            f"{shown}. Erase them again now (`lambda360 erase`), then have what is newer sent again"
        )
