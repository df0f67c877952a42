"""`lambda360 batch run`: the nightly job, its steps as they go on, and what came of them."""

import json
import time
from typing import TYPE_CHECKING

import click

from infra.commands.batch_audit import with_audit
from infra.commands.batch_decisions import gate_decisions
from infra.commands.batch_text import cut_text, details
from infra.context import clock, operator, settings_of, step_line

if TYPE_CHECKING:
    from batch_layer.rebuild.run import Rebuilt
    from batch_layer.until import Until
    from common.algebra.pointer import Published


@click.command()
@click.option(
    "--until",
    metavar="PARTITION:OFFSET,…|TIME",
    help="End there, and not at the log's end: offsets, such as 0:1200,2:90 (a partition that is not named ends at its "
    "end), or a time with its zone, such as 2026-03-01T00:00:00Z: the first record that was appended then, or later.",
)
@click.option("--resume", metavar="ID", type=int, help="Finish run ID with the plan that it has, whatever came since.")
@click.option(
    "--accept-drift",
    metavar="CUSTOMER",
    multiple=True,
    help="Publish although the audit found drift of this customer, whose answers are degraded then; needs --reason.",
)
@click.option("--accept-unaudited", is_flag=True, help="Publish what could not be audited; needs --reason.")
@click.option("--reason", default="", help="Why it is accepted; the manifest and the journal keep it.")
@click.option(
    "--first",
    is_flag=True,
    help="On a log that no worker has read: publish without an audit, which needs a speed layer, and build its facts "
    "below the batch's cut. Workers begin there, and so do the topics of deltas and alerts.",
)
@click.option("--force", is_flag=True, help="Compute and publish a new batch even if the log holds nothing new.")
@click.option(
    "--waive", "waivers", multiple=True, metavar="RULE=REASON", help="Let a rule of the quality gate pass in this run."
)
@click.option(
    "--approve",
    "approvals",
    multiple=True,
    metavar="CHANGE",
    help="Make a change of the data's shape the declared one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as one JSON object; the steps go to stderr.")
@click.pass_context
def run(
    context: click.Context,
    *,
    until: str | None,
    resume: int | None,
    accept_drift: tuple[str, ...],
    accept_unaudited: bool,
    reason: str,
    first: bool,
    force: bool,
    waivers: tuple[str, ...],
    approvals: tuple[str, ...],
    as_json: bool,
) -> None:
    """Archive the log, judge what is new, recompute every customer, load, audit and publish.

    The audit compares the new view with the answers that are served, which takes a running speed layer: `lambda360
    speed run`. What it finds stops the run until you accept it, by name and with a reason.

    Killed at any step, the same command finishes it; until then, readers see the batch before. A second run at the same
    time ends with code 5 and names the first.

    A long history is answered soonest by `batch run --first` before any worker has begun: see docs/importing.md.
    """
    from batch_layer import manifest
    from batch_layer.job import Job
    from batch_layer.jvm import history
    from batch_layer.lineage.emit import Emitter
    from batch_layer.lineage.observer import Lineage
    from batch_layer.priority import give_way
    from batch_layer.rebuild.run import check_unread
    from batch_layer.run import run as run_batch
    from batch_layer.session import spark_session
    from batch_layer.view import publish
    from common.servers.cassandra import connected
    from infra.operate.rebuilding import Decision
    from infra.operate.rebuilding import run as rebuilt
    from infra.paths import JARS
    from infra.schema.generations import GenerationTables

    _exclude(until, resume, force=force)
    if first:
        accept_unaudited, reason = True, reason or FIRST
    end = None if until is None else parse_until(until)
    settings = settings_of(context)
    judged = gate_decisions(settings, waivers, approvals)
    decisions = with_audit(judged, accept_drift, reason, unaudited=accept_unaudited)
    steps = Steps(to_stderr=as_json)
    give_way(settings.batch.niceness)
    with connected(settings) as session, spark_session(settings, JARS / "spark", history(session, settings)) as spark:
        steps.done("start Spark", "", steps.seconds)
        job = Job(
            settings,
            spark,
            session,
            clock=clock,
            report=steps.done,
            progress=steps.progress,
            decisions=decisions,
            who=operator(),
        )
        job.observe = Lineage(job, Emitter(settings))
        begun: list[Rebuilt] = []

        def begin() -> None:
            decision = Decision("begin", operator(), reason, clock)
            begun.append(rebuilt(job, GenerationTables(session), [], decision, click.echo, at_batch=True))

        if first:
            check_unread(job)
        done = run_batch(job, until=end, resume=resume, force=force, switched=begin if first else _nothing)
        if first and not begun:  # a run before had published the batch
            begin()
        if as_json:
            pointer = publish.read(session)
            runs = {found.batch_id: found for found in manifest.manifests(session)}
            batch_id = done.batch_id if done is not None else pointer.current
            click.echo(json.dumps(details(runs[batch_id], pointer) if batch_id in runs else None))
            return
    steps.end()
    click.echo(_summary(done, steps.seconds))
    for each in begun:
        click.echo(_begun(each))


class Steps:
    """Prints a line for each step that is done, and how far the open one is."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._to_stderr = to_stderr
        self._started = time.monotonic()
        self._open = False
        self._said_at = self._started

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def done(self, step: str, figures: str, seconds: float) -> None:
        """Prints the step's line."""
        self.end()
        click.echo(step_line(step, figures, seconds), err=self._to_stderr)

    def progress(self, step: str, done: int, total: int) -> None:
        """Prints how far the step is: on a terminal in one line, which is replaced, elsewhere every ten seconds."""
        text = f"{step:<20}{done:,} of about {total:,} records"
        if click.get_text_stream("stderr" if self._to_stderr else "stdout").isatty():
            click.echo(f"\r{text}", nl=False, err=self._to_stderr)
            self._open = True
        elif time.monotonic() - self._said_at >= NOT_OFTENER_SECONDS:
            self._said_at = time.monotonic()
            click.echo(text, err=self._to_stderr)

    def end(self) -> None:
        """Removes the line of progress."""
        if self._open:
            click.echo("\r\033[K", nl=False, err=self._to_stderr)
            self._open = False


NOT_OFTENER_SECONDS = 10.0
FIRST = "the first batch of a log that no worker has read (--first)"
"""Why its answers are not audited, if the operator says nothing else."""


def parse_until(text: str) -> "Until":
    """Returns the positions or the moment that `--until` names. Raises UsageError with the rule."""
    from common.algebra.dates import parse_moment
    from common.errors import UsageError
    from common.log.position import Position

    try:
        return tuple(Position.parse(part) for part in text.replace(" ", ",").split(","))
    except ValueError:
        pass
    try:
        return parse_moment(text).micros
    except ValueError as error:
        rule = f"PARTITION:OFFSET, several separated by commas, or a time with its zone ({error})"
        raise UsageError("--until", text, rule) from error


def _exclude(until: str | None, resume: int | None, *, force: bool) -> None:
    from common.errors import UsageError

    if resume is not None and (until is not None or force):
        raise UsageError("--resume", resume, "without --until and --force: the plan of that run is kept as it is")


def _summary(done: "Published | None", seconds: float) -> str:
    if done is None:
        return "nothing new: the current batch holds the whole log (--force computes it again)"
    cut = cut_text(done.plan.cut.offsets)
    return (
        f"batch {done.batch_id} is current: cut {cut}, {done.rows} customers, {seconds:.1f} s in all\n"
        f"`lambda360 batch show {done.batch_id}` shows its figures; `lambda360 batch rollback` goes back."
    )


def _begun(done: "Rebuilt") -> str:
    letters = (
        f" {done.letters:,} rejected records are dead letters (`lambda360 dead-letters list`)." if done.letters else ""
    )
    return (
        f"The speed layer's facts are built from {done.counts.records:,} records of {done.counts.customers:,} "
        f"customers.{letters} Workers begin at the cut, and so do the topics of deltas, alerts and errors.\n"
        "Next: `lambda360 speed run`. From its first heartbeat on answers are exact."
    )


def _nothing() -> None:
    """What is done once a batch is current, without --first."""
