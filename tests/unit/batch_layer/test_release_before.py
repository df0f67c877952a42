"""R17, R19: the release before and this one read each other's pointer and manifests, or refuse them; no servers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from batch_layer import manifest as manifests
from batch_layer.manifest import Manifest, Status, Step
from common.algebra import pointer
from common.algebra.cut import Cut
from common.algebra.pointer import Loss, Plan, Pointer
from infra.paths import ROOT
from tests.support.release import Release, ReleaseMissing, checked_out

BEFORE: Final = ROOT / "tests" / "upgrade" / "before.txt"
THEIRS: Final = """
import json, sys
import msgspec
from batch_layer.view.publish import Manifest
from common.algebra import pointer

def again(text):
    try:
        return pointer.encode(pointer.decode(text))
    except msgspec.DecodeError:
        return None

told = json.load(sys.stdin)
statuses = [msgspec.json.decode(text, type=Manifest).status for text in told["manifests"]]
done = pointer.decode(told["pointers"][0]).published
own = [Manifest(done.batch_id, done.slot, done.plan, status, 1) for status in ("loading", "verified", "published")]
print(json.dumps({
    "pointers": [again(text) for text in told["pointers"]],
    "statuses": statuses,
    "manifests": [msgspec.json.encode(each).decode() for each in own],
}))
"""
PLAN: Final = Plan(7, Cut.of({0: 5}), "2", "3;currency=USD")


@pytest.fixture(scope="module")
def before() -> Iterator[Release]:
    try:
        with checked_out(BEFORE.read_text(encoding="ascii").split()[0], "before") as release:
            yield release
    except ReleaseMissing as error:
        pytest.skip(str(error))


def published() -> Pointer:
    """A pointer with a batch, and a claim beside it."""
    claimed, mine = pointer.claim(pointer.begin(Pointer()), PLAN)
    done = pointer.publish(claimed, mine, published_at=5, rows=1, checksum="c")
    return pointer.claim(done, replace(PLAN, snapshot=8))[0]


def of_before(release: Release, pointers: list[Pointer], runs: list[Manifest]) -> dict[str, Any]:
    """What the release before makes of the texts of this one, and texts of its own."""
    told = {
        "pointers": [pointer.encode(each) for each in pointers],
        "manifests": [msgspec.json.encode(run).decode() for run in runs],
    }
    environ = {**os.environ, "PYTHONPATH": str(release.code)}
    command = [sys.executable, "-c", THEIRS]
    done = subprocess.run(
        command, env=environ, cwd=release.code, input=json.dumps(told), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_reads_what_the_other_wrote_or_refuses_it(before: Release) -> None:
    """A pointer goes to the older release and back unchanged, or is refused; no manifest of either stops the other."""
    plain = published()
    more = [
        replace(plain, marked=True),
        replace(plain, generation=2),
        replace(plain, losses=(Loss(0, 1, 2, accepted_at=3),)),
    ]
    runs = [
        Manifest(batch_id=3, plan=PLAN, status=status, step=step, started_at=1, figures={"archive": "5 records"})
        for status in Status
        for step in Step
    ]

    found = of_before(before, [plain, *more], runs)

    back, *refused = found["pointers"]
    assert pointer.decode(back) == plain
    assert refused == [None] * len(more)
    assert found["statuses"] == [run.status for run in runs]
    assert [manifests.decode(text).step for text in found["manifests"]] == [Step.LOAD, Step.PUBLISH, Step.FINISH]
