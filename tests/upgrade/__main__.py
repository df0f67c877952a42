"""`make test-upgrade`: from the release before to this one, in place, under load, and back; every answer is judged.

The release before is the commit in `tests/upgrade/before.txt`. Both releases run with one set of packages, on one Kafka
and one Cassandra that are started for the test. In every step each running API is asked for all customers, again and
again; each answer must be the oracle's at the offset that it names, or degraded for a reason that holds by the tables.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
from msgspec.structs import replace
from rich.console import Console

from batch_layer import manifest as manifests
from batch_layer.view import publish
from common import logs
from common.settings import BatchSettings, SpeedSettings
from infra.drawing import Column, draw
from tests.support.mixed import Mixed, Row, mixed
from tests.support.release import THIS, Release, ReleaseMissing, checked_out, other_packages
from tests.support.stage import own_stack
from tests.support.systems import bare_system

BEFORE: Final = Path(__file__).with_name("before.txt")
PARTITIONS: Final = 4
REST: Final = "at rest"


def main() -> int:
    argparse.ArgumentParser(prog="make test-upgrade", description=__doc__).parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console(width=160, highlight=False)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    commit = BEFORE.read_text(encoding="ascii").split()[0]
    try:
        with checked_out(commit, "before") as before:
            return _run(before, commit, console)
    except ReleaseMissing as error:
        console.print(f"error: {error}", style="red")
        return 2


def _run(before: Release, commit: str, console: Console) -> int:
    others = other_packages(before)
    console.print(f"the release before is {commit}: {before.versions()}, this one {THIS.versions()}")
    console.print(f"packages that its lock names otherwise, run with ours: {', '.join(others) or 'none'}")
    speed = SpeedSettings(session_timeout_seconds=6.0, large_refund_cents=5_000)
    with own_stack() as stack:
        few = {"speed": speed, "batch": BatchSettings(buckets=3)}
        settings = bare_system(stack, partitions=PARTITIONS).model_copy(update=few)
        with mixed(settings, before, console) as told:
            down(told, before, up(told, before))
            lists(told, before)
            beyond(told, before)
    return _report(console, told.rows)


def up(told: Mixed, before: Release) -> int:
    """The release before at work, and then this one in its place, part by part. Returns the older one's last batch."""
    told.worker(before)
    told.api(before)
    told.begin_load(seed=11)
    told.step("before: batch", lambda: told.command(before, "batch", "run"))
    old = told.current()
    told.step("schema apply", lambda: told.command(THIS, "schema", "apply"))
    told.step("API beside API", lambda: told.api(THIS))
    told.step("worker beside worker", lambda: told.worker(THIS))
    told.step("old worker gone", lambda: told.worker_leaves(before))
    told.step("before: batch killed", lambda: told.killed_with_its_claim(before))
    told.step("batch", lambda: told.command(THIS, "batch", "run"))
    return old


def down(told: Mixed, before: Release, old: int) -> None:
    """Back to the release before, whose batch `old` is in a slot yet, and up again."""
    told.step("rollback to a batch of before", lambda: told.command(THIS, "batch", "rollback", "--to", str(old)))
    told.step("before: schema apply", lambda: told.command(before, "schema", "apply"))
    told.step("batch killed", lambda: told.killed_with_its_claim(THIS))
    told.step("before: worker beside worker", lambda: told.worker(before))
    told.step("new worker gone", lambda: told.worker_leaves(THIS))
    told.step("before: batch", lambda: told.command(before, "batch", "run"))
    told.step("before: rollback", lambda: told.command(before, "batch", "rollback"))
    told.step("up again: worker", lambda: told.worker(THIS))
    told.step("up again: batch", lambda: told.command(THIS, "batch", "run"))
    told.step("the load ends", told.rest)
    told.step(REST, lambda: told.command(THIS, "batch", "list"))


def lists(told: Mixed, before: Release) -> None:
    """Each release lists and shows the runs of both."""
    known = [str(found.batch_id) for found in manifests.manifests(told.scene.session)]
    for release in (before, THIS):
        rows = [line.split() for line in told.command(release, "batch", "list").splitlines()]
        assert [row[0] for row in rows if row and row[0].isdigit()] == known, rows
        for batch_id in known:
            told.command(release, "batch", "show", batch_id)


def beyond(told: Mixed, before: Release) -> None:
    """What the older release would drop from the pointer is said: it refuses, and this one goes on."""
    session = told.scene.session
    publish.transition(session, lambda pointer: replace(pointer, marked=True))
    pointer = publish.read(session)
    older = told.apis.pop(0)
    answer = httpx.get(f"{older.url}/v1/customers/{told.scene.oracle.mentioned[0]}/metrics", timeout=60.0)
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE, answer.text
    told.console.print(
        f"with a mark in the pointer, the older API answers {answer.status_code}: {answer.json()['detail']}"
    )
    for command in ("run", "rollback"):
        last = told.fails(before, "batch", command).strip().splitlines()[-1]
        told.console.print(f"and its `batch {command}` ends with: {last}")
    assert publish.read(session) == pointer
    told.step("the pointer says more", lambda: told.command(THIS, "batch", "list"))


def _report(console: Console, rows: Sequence[Row]) -> int:
    """The table, and the exit code: 0 if nothing was wrong, and nothing is degraded for a lasting reason at the end."""
    headings = ("seconds", "answers", "exact", "wrong", "degraded")
    draw(
        (Column("step"), Column("API of"), *(Column(heading, right=True) for heading in headings), Column("why")),
        [(row.step, row.release, *_figures(row), ", ".join(sorted(row.tally.why))) for row in rows],
    )
    wrong = sum(row.tally.wrong for row in rows)
    asked = sum(row.tally.asked for row in rows)
    silent = [f"{row.step}, {row.release}" for row in rows if not row.tally.asked]
    at_rest = sum(row.tally.degraded for row in rows if row.step == REST)
    console.print(
        f"{len(rows)} rows, {asked} answers: {wrong} wrong, {at_rest} degraded at rest; no answer in: {silent}"
    )
    return 1 if wrong or at_rest or silent else 0


def _figures(row: Row) -> tuple[str, ...]:
    tally = row.tally
    return f"{row.seconds:.0f}", *map(str, (tally.asked, tally.exact, tally.wrong, tally.degraded))


if __name__ == "__main__":
    raise SystemExit(main())
