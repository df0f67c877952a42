"""`lambda360 batch`: the nightly job, its runs, and the way back."""

import json
import time
from typing import TYPE_CHECKING, Final

import click

from infra.context import operator, settings_of, time_text

if TYPE_CHECKING:
    from batch_layer.view.publish import Manifest
    from common.algebra.pointer import Pointer


CLAIMED: Final = 5
UNAVAILABLE: Final = 6
OTHER_LOG: Final = 7


class BatchGroup(click.Group):
    """A group whose commands end with the exit codes of a batch, which a scheduler acts on."""

    def invoke(self, ctx: click.Context) -> object:
        from common.errors import ClaimLost, LogError, Unavailable

        codes = ((ClaimLost, CLAIMED), (Unavailable, UNAVAILABLE), (LogError, OTHER_LOG))
        try:
            return super().invoke(ctx)
        except (ClaimLost, Unavailable, LogError) as error:
            click.secho(f"error: {error}", fg="red", err=True)
            return next(code for kind, code in codes if isinstance(error, kind))


@click.group(cls=BatchGroup)
def batch() -> None:
    """Run the nightly job, list and show its runs, roll back.

    \b
    Exit code, and whether the same command is worth a retry:
      0   done, or nothing new
      1   anything else                                    no
      2   wrong usage                                      no
      5   another run claimed the slot, or published       yes
      6   Kafka or Cassandra does not answer               yes
      7   the log is not the one that was recorded         no
      130 interrupted; or killed by a signal               yes
    """


@batch.command()
@click.option("--force", is_flag=True, help="Compute and publish a new batch even if the log holds nothing new.")
@click.pass_context
def run(context: click.Context, *, force: bool) -> None:
    """Archive the log, recompute every customer, load, verify and publish.

    Killed at any step, the same command finishes it; until then, readers see the batch before.
    """
    from batch_layer.job import Job
    from batch_layer.run import run as run_batch
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.paths import JARS

    settings = settings_of(context)
    started = time.monotonic()
    with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
        tell("start Spark", "", time.monotonic() - started)
        job = Job(settings, spark, session, clock=_clock, report=tell)
        done = run_batch(job, force=force)
    if done is None:
        click.echo("nothing new: the current batch holds the whole log (--force computes it again)")
        return
    cut = cut_text(done.plan.cut.offsets)
    seconds = time.monotonic() - started
    click.echo(f"batch {done.batch_id} is current: cut {cut}, {done.rows} customers, {seconds:.1f} s in all")


@batch.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each batch.")
@click.pass_context
def list_(context: click.Context, *, as_json: bool) -> None:
    """Show every batch, the newest first: its slot, status, customers, cut, snapshot and versions."""
    from batch_layer.view import publish
    from common.servers.cassandra import connected
    from infra.drawing import Column, draw

    with connected(settings_of(context)) as session:
        pointer = publish.read(session)
        manifests = publish.manifests(session)
    if as_json:
        for manifest in manifests:
            click.echo(json.dumps(details(manifest, pointer)))
    elif not manifests:
        click.echo("no batch yet; `lambda360 batch run` makes the first")
    else:
        draw([Column(heading) for heading in HEADINGS], [row_of(manifest, pointer) for manifest in manifests])


@batch.command()
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print its manifest as one JSON object.")
@click.pass_context
def show(context: click.Context, batch_id: int, *, as_json: bool) -> None:
    """Show one batch: its plan, its figures, and how long each step took."""
    from batch_layer.view import publish
    from common.errors import UsageError
    from common.servers.cassandra import connected
    from infra.drawing import Column, draw

    with connected(settings_of(context)) as session:
        pointer = publish.read(session)
        manifests = {manifest.batch_id: manifest for manifest in publish.manifests(session)}
    if batch_id not in manifests:
        known = ", ".join(map(str, manifests)) or "none yet"
        raise UsageError("ID", batch_id, f"a batch that was run; there are: {known}")
    found = details(manifests[batch_id], pointer)
    if as_json:
        click.echo(json.dumps(found))
        return
    seconds = manifests[batch_id].seconds
    rows = [(name, str(value)) for name, value in found.items() if name != "seconds"]
    draw((Column(), Column()), [*rows, *((f"{step}, seconds", f"{took:.1f}") for step, took in seconds.items())])


@batch.command()
@click.option("--to", "batch_id", metavar="ID", type=int, help="A batch that a slot holds.  [default: the one before]")
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.pass_context
def rollback(context: click.Context, batch_id: int | None, reason: str) -> None:
    """Make an earlier batch the current one again. Takes a second, and nothing is deleted.

    Answers stay right, since the speed layer's deltas count from that batch's own cut on. The same command with the
    later batch's id undoes it; the next `batch run` publishes a new batch.
    """
    from batch_layer.view import publish
    from common.algebra.versions import logic_version
    from common.servers import journal
    from common.servers.cassandra import connected

    with connected(settings_of(context)) as session:
        planned = publish.planned_rollback(session, batch_id)
        target = planned.to
        if planned.left == target.batch_id:
            click.echo(f"batch {target.batch_id} is current already; nothing was changed")
            return
        what = f"from batch {planned.left} to batch {target.batch_id}"
        entry = journal.Entry(at=_clock(), who=operator(), action="rollback", what=what, reason=reason)
        journal.record(session, entry)
        publish.roll_back(session, planned)
        journal.done(session, entry)
    click.echo(
        f"batch {target.batch_id} is current again, as it was published at {time_text(target.published_at)}: "
        f"cut {cut_text(target.plan.cut.offsets)}, {target.rows} customers"
    )
    if target.plan.logic_version != logic_version():
        click.echo(
            f"Its logic version is {target.plan.logic_version}, and this release's is {logic_version()}: answers are "
            "degraded until a batch of this release is current."
        )
    click.echo(f"To undo it: `lambda360 batch rollback --to {planned.left}`.")


def _clock() -> int:
    return time.time_ns() // 1000


HEADINGS = ("batch", "slot", "status", "published", "customers", "snapshot", "logic", "validation", "cut")


def row_of(manifest: "Manifest", pointer: "Pointer") -> tuple[str, ...]:
    """Returns one row of the list, in the order of HEADINGS."""
    plan = manifest.plan
    published = "-" if manifest.finished_at is None else time_text(manifest.finished_at)
    return (
        str(manifest.batch_id),
        manifest.slot,
        status_of(manifest, pointer),
        published,
        "-" if manifest.rows is None else str(manifest.rows),
        str(plan.snapshot),
        plan.logic_version,
        plan.validation_version,
        cut_text(plan.cut.offsets),
    )


def details(manifest: "Manifest", pointer: "Pointer") -> dict[str, object]:
    """Returns a batch for JSON: its manifest, with its status by the pointer, and times in ISO 8601 (UTC)."""
    plan = manifest.plan
    return {
        "batch_id": manifest.batch_id,
        "slot": manifest.slot,
        "status": status_of(manifest, pointer),
        "step": manifest.status,
        "started_at": time_text(manifest.started_at),
        "finished_at": None if manifest.finished_at is None else time_text(manifest.finished_at),
        "customers": manifest.rows,
        "checksum": manifest.checksum,
        "cut": cut_text(plan.cut.offsets),
        "snapshot": plan.snapshot,
        "logic_version": plan.logic_version,
        "validation_version": plan.validation_version,
        "seconds": manifest.seconds,
    }


def status_of(manifest: "Manifest", pointer: "Pointer") -> str:
    """Returns the batch's status by the pointer or, if that no longer names the batch, by the run's manifest."""
    batch_id = manifest.batch_id
    if batch_id == pointer.current:
        return "current"
    if any(kept.batch_id == batch_id for kept in pointer.complete):
        return "kept"
    if any(held.batch_id == batch_id for held in pointer.claims):
        return "unfinished"
    return "replaced" if manifest.status == "published" else "abandoned"


def cut_text(offsets: dict[int, int]) -> str:
    """Returns a cut as one word: `0:17,1:9`."""
    from common.log.position import Position

    return ",".join(str(Position(partition, offset)) for partition, offset in offsets.items()) or "-"


def tell(step: str, figures: str, seconds: float) -> None:
    """Prints one line for a step."""
    click.echo(f"{step:<20}{figures:<60}{seconds:6.1f} s")
