"""A changed measure goes live by the runbook's commands, and back, on the real system under load (R7, R22, R23)."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import pytest
from rich.console import Console

from common.algebra.versions import LOGIC
from common.settings import BatchSettings, Settings, SpeedSettings
from infra.paths import ROOT
from infra.proof.oracle import RawRecord
from tests.support.mixed import Mixed, Row, mixed
from tests.support.release import THIS, Release, changed
from tests.support.systems import bare_system

RUNBOOK: Final = ROOT / "docs" / "runbook.md"
MEASURES: Final = "common/algebra/measures.py"
VERSIONS: Final = {"common/algebra/versions.py": {f'LOGIC: Final = "{LOGIC}"': f'LOGIC: Final = "{LOGIC}-changed"'}}
RETURNED_IS_NOT_CHARGED: Final = {'Where("status", ("cancelled",)': 'Where("status", ("cancelled", "returned")'}
"""A returned order counts as little as a cancelled one."""
OLD: Final = replace(THIS, name="old")
LAST_MEASURE: Final = '    Measure("campaign_views", "marketing_event"'
RETURNED_IS_NOT_CHARGED_AND_ONE_MORE: Final = {
    **RETURNED_IS_NOT_CHARGED,
    LAST_MEASURE: '    Measure("returned_orders", "order", "count", "order_date", '
    f'where=Where("status", ("returned",))),\n{LAST_MEASURE}',
}
"""A measure more, not at the end of the table: stored states of the other release have other columns."""


class Command(NamedTuple):
    """A command of the runbook, and which release it is of: `old` or `new`."""

    of: str
    arguments: list[str]


def commands(part: str) -> list[Command]:
    """The commands of a part of the runbook's section, in their order."""
    text = RUNBOOK.read_text(encoding="utf-8")
    section = re.search(rf"^### {part}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, part
    lines = re.findall(
        r"^(?:LAMBDA360_SERVING_PORT=\d+ )?lambda360 (.+?) +# (old|new) release", section[1], re.MULTILINE
    )
    return [Command(of, shlex.split(arguments)) for arguments, of in lines]


def as_the_change_has_it(records: Iterable[RawRecord]) -> Iterator[RawRecord]:
    """The log in which the oracle's own formulas give the answers of the new meaning."""
    for record in records:
        value = record.value and record.value.replace(b'"status": "returned"', b'"status": "cancelled"')
        yield record._replace(value=value)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("change", [RETURNED_IS_NOT_CHARGED, RETURNED_IS_NOT_CHARGED_AND_ONE_MORE])
def test_a_changed_measure_goes_live_and_back_by_the_runbook(stack: Settings, change: dict[str, str]) -> None:
    """R7, R22, R23: an API is exact if the current batch is of its own logic, else degraded for that reason."""
    few = {"speed": SpeedSettings(session_timeout_seconds=6.0), "batch": BatchSettings(buckets=3)}
    settings = bare_system(stack).model_copy(update=few)
    with changed({MEASURES: change, **VERSIONS}, "new") as new, mixed(settings, OLD, Console(width=160)) as told:
        told.means(new, as_the_change_has_it)
        told.worker(OLD)
        told.api(OLD)
        told.begin_load(seed=21)
        told.step("first", lambda: told.command(OLD, "batch", "run"))
        assert told.last(OLD).right
        begun = len(told.rows)

        for command in commands("Deploy it"):
            _play(told, command, {"old": OLD, "new": new})
        deployed = told.rows[begun:]
        for command in commands("Go back"):
            _play(told, command, {"old": OLD, "new": new})
        told.step("rest", told.rest)

        assert [row.tally.first_wrong for row in told.rows if row.tally.wrong] == []
        assert _exact(deployed) == {
            "schema apply": {"old"},
            "serve": {"old"},
            "batch run": {"new"},
            "speed run": {"new"},
        }
        assert _exact(told.rows[begun + len(deployed) :]) == {
            "batch rollback": {"old"},
            "speed run": {"old"},
            "batch run": {"old"},
            "rest": {"old"},
        }
        _assert_by_the_batch(told.rows[begun:], {"old": LOGIC, "new": f"{LOGIC}-changed"})
        _tell_windows(deployed, told.published_at(2))


def _play(told: Mixed, command: Command, releases: Mapping[str, Release]) -> None:
    """Does what the runbook says; every API is asked meanwhile, and afterwards."""
    release = releases[command.of]
    name = " ".join(command.arguments[:2])
    if name == "serve":
        told.step(name, lambda: told.api(release))
        told.step(name, lambda: None)
    elif name == "speed run":
        told.step(name, lambda: told.replace_worker(release))
    else:
        told.step(name, lambda: told.command(release, *command.arguments))


def _exact(rows: Iterable[Row]) -> dict[str, set[str]]:
    """By step the releases whose APIs were exact and right at its end; any other was degraded throughout."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found[row.step] = {each for each in found.get(row.step, ()) if each != row.release}
        if row.last.right:
            found[row.step].add(row.release)
        else:
            assert row.last.degraded == row.last.asked > 0, row
    return found


def _assert_by_the_batch(rows: Iterable[Row], versions: Mapping[str, str]) -> None:
    """Every single answer is exact if its batch is of its API's logic, and otherwise degraded for this one reason."""
    for row in rows:
        for entry in (entry for each in row.rounds for entry in each.entries):
            provenance, own = entry["provenance"], versions[row.release]
            of = provenance["batch"]["logic_version"]
            reason = f"logic_version of batch {provenance['batch']['id']} is {of}, of this release {own}"
            assert [each for each in provenance["reasons"] if "measures, this release" not in each] == (
                [] if of == own else [reason]
            )


def _tell_windows(rows: Iterable[Row], published_at: int) -> None:
    """Prints how long answers were degraded, had the traffic moved before the batch, and how long as it moved."""
    old, new = ([each for row in rows if row.release == name for each in row.rounds] for name in ("old", "new"))
    last = max(each.after.at for each in old if all(e["provenance"]["status"] == "exact" for e in each.entries))
    first = min(each.before.at for each in new if all(e["provenance"]["status"] == "exact" for e in each.entries))
    seconds = [(moment - published_at) / 1e6 for moment in (new[0].before.at, last, first)]
    print(  # noqa: T201 # the figures of the runbook
        f"seconds from the publish: the new API answers, degraded, from {seconds[0]:+.1f} on; "
        f"the old one is exact until {seconds[1]:+.1f}, the new one from {seconds[2]:+.1f} on"
    )
