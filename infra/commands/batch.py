"""`lambda360 batch`: the nightly job, and its runs."""

import time
from typing import TYPE_CHECKING

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from batch_layer.view.publish import Manifest
    from common.algebra.pointer import Pointer


@click.group()
def batch() -> None:
    """Run the nightly job, or list its runs."""


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
        job = Job(settings, spark, session, clock=lambda: time.time_ns() // 1000, report=tell)
        done = run_batch(job, force=force)
    if done is None:
        click.echo("nothing new: the current batch holds the whole log (--force computes it again)")
        return
    cut = cut_text(done.plan.cut.offsets)
    seconds = time.monotonic() - started
    click.echo(f"batch {done.batch_id} is current: cut {cut}, {done.rows} customers, {seconds:.1f} s in all")


@batch.command(name="list")
@click.pass_context
def list_(context: click.Context) -> None:
    """Show every batch, the newest first: its slot, status, customers, cut, snapshot and versions."""
    from batch_layer.view import publish
    from common.servers.cassandra import connected
    from infra.drawing import Column, draw

    with connected(settings_of(context)) as session:
        pointer = publish.read(session)
        manifests = publish.manifests(session)
    if not manifests:
        click.echo("no batch yet; `lambda360 batch run` makes the first")
        return
    draw([Column(heading) for heading in HEADINGS], [row_of(manifest, pointer) for manifest in manifests])


HEADINGS = ("batch", "slot", "status", "published", "customers", "snapshot", "logic", "validation", "cut")


def row_of(manifest: "Manifest", pointer: "Pointer") -> tuple[str, ...]:
    """Returns one row of the list, in the order of HEADINGS."""
    from common.algebra.dates import datetime_of

    plan = manifest.plan
    published = "-"
    if manifest.finished_at is not None:
        published = datetime_of(manifest.finished_at).strftime("%Y-%m-%d %H:%M:%SZ")
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
