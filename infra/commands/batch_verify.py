"""`lambda360 batch verify`: a published batch, recomputed and compared with what was published."""

import json
from typing import TYPE_CHECKING

import click
import msgspec

from infra.context import clock, settings_of

if TYPE_CHECKING:
    from batch_layer.audit.again import Batch, Verification
    from batch_layer.manifest import Manifest
    from common.algebra.pointer import Pointer


@click.command()
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one JSON object.")
@click.pass_context
def verify(context: click.Context, batch_id: int, *, as_json: bool) -> None:
    """Recompute a published batch from its snapshot, and compare it with what was published.

    Ends with code 4 if they differ. If an erasure, or another version of logic or validation, has come since, it says
    so: the two may differ for that reason.
    """
    from batch_layer.audit.again import verified
    from batch_layer.job import Job
    from batch_layer.jvm import history
    from batch_layer.manifest import manifests
    from batch_layer.priority import give_way
    from batch_layer.session import spark_session
    from batch_layer.view import publish
    from common.errors import DriftFound
    from common.log.events import validation_version
    from common.log.normalizing import Rules
    from common.servers.cassandra import connected
    from infra.paths import JARS

    settings = settings_of(context)
    give_way(settings.batch.niceness)
    with connected(settings) as session:
        pointer = publish.read(session)
        batch = published({each.batch_id: each for each in manifests(session)}, pointer, batch_id)
        with spark_session(settings, JARS / "spark", history(session, settings)) as spark:
            job = Job(settings, spark, session, clock=clock, report=lambda *_: None)
            found = verified(job, batch, validation_version(Rules(settings.log.currency)))
    click.echo(json.dumps(msgspec.to_builtins(found) | {"same": found.is_same}) if as_json else told(found))
    if not found.is_same:
        raise DriftFound(f"batch {batch_id} is not what was published")


def published(runs: "dict[int, Manifest]", pointer: "Pointer", batch_id: int) -> "Batch":
    """Returns what was published as batch `batch_id`. Raises UsageError, which names the batches that were."""
    from batch_layer.audit.again import Batch
    from batch_layer.manifest import Status
    from batch_layer.view.digest import Digest
    from common.errors import UsageError

    complete = {batch.batch_id: batch for batch in pointer.complete}
    held = complete.get(batch_id)
    if held is not None:
        digest = Digest.of(held.checksum, held.rows)
        return Batch(batch_id, held.slot, held.plan, digest, is_in_slot=True)
    run = runs.get(batch_id)
    if run is None or run.status is not Status.PUBLISHED or run.rows is None or run.checksum is None:
        known = sorted({each.batch_id for each in runs.values() if each.status is Status.PUBLISHED} | complete.keys())
        raise UsageError(
            "ID", batch_id, f"a batch that was published; there are: {', '.join(map(str, known)) or 'none'}"
        )
    return Batch(batch_id, run.slot, run.plan, Digest.of(run.checksum, run.rows), is_in_slot=False)


def told(found: "Verification") -> str:
    """Returns the comparison in sentences."""
    lines = [
        f"published:   {found.published_rows} customers, checksum {found.published_checksum}",
        f"recomputed:  {found.rows} customers, checksum {found.checksum}, from snapshot {found.snapshot}",
    ]
    if found.slot_rows is None:
        lines.append("its slot:    holds another batch by now, so only the published figures are compared")
    else:
        lines.append(f"its slot:    {found.slot_rows} customers, checksum {found.slot_checksum}")
    if found.customers:
        shown = ", ".join(map(repr, found.customers[:10])) + " …" * (len(found.customers) > 10)
        lines.append(f"rows in the slot that are not the recomputation's: {shown}")
    lines.append("the same" if found.is_same else "they differ")
    return "\n".join([*lines, *found.explanations])
