"""R5b: the recipes of `docs/taking-back.md` on the real system, as the page gives them, judged by the oracle, too."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from batch_layer.decisions import Decisions
from batch_layer.run import run
from common.settings import BatchSettings, Settings
from infra.cli import lambda360
from infra.paths import ROOT
from infra.proof.comparison import ask_all
from tests.support.jobs import Jobs
from tests.support.recipes import Step, as_of, steps, told
from tests.support.stage import Stage, stage

PAGE = ROOT / "docs" / "taking-back.md"
SECONDS = 120.0


def told_of(scene: Stage, step: Step, day: date) -> dict[tuple[str, str], str]:
    """What the answers say of all that the step is about."""
    entries = {entry["customer_id"]: entry for entry in ask_all(scene.url, step.customers, day)}
    return {(effect.customer, effect.of): told(entries[effect.customer], effect.of) for effect in step.effects}


def follow(scene: Stage, step: Step, folder: Path) -> None:
    """The step's files are written, its commands have run, and the speed layer has applied what they sent."""
    for name, content in step.files.items():
        (folder / name).write_text(content, encoding="utf-8")
    for program, *words in step.commands:
        assert program == "lambda360"
        arguments = [str(folder / word) if (folder / word).is_file() else word for word in words]
        assert lambda360.main(arguments, standalone_mode=False, obj=scene.settings) == 0
    scene.wait_applied(scene.ends())


def judged(scene: Stage, day: date) -> None:
    """Every answer is exact, and the oracle's."""
    verdict = scene.check(day)
    assert verdict.right, (verdict.first_difference, verdict.reasons)


def answers(scene: Stage, day: date) -> list[tuple[Any, Any]]:
    return [(entry["metrics"], entry["profile"]) for entry in ask_all(scene.url, scene.oracle.mentioned, day)]


@pytest.mark.slow
@pytest.mark.spark
def test_r5b_r23_every_recipe_of_the_page_does_what_its_table_says(
    stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    """The first step's entities are absorbed by a batch before they are taken back; a second batch moves nothing."""
    day = as_of(PAGE)
    with stage(stack, batch=BatchSettings(buckets=3)) as scene:
        jobs = Jobs(spark, scene.session, scene.settings, decisions=Decisions())
        worker = scene.start("speed", "run")
        for number, step in enumerate(steps(PAGE)):
            assert told_of(scene, step, day) == {(each.customer, each.of): each.before for each in step.effects}
            follow(scene, step, tmp_path)
            if number == 0:
                assert run(jobs()) is not None

            assert told_of(scene, step, day) == {(each.customer, each.of): each.after for each in step.effects}
            judged(scene, day)

        before = answers(scene, day)
        assert run(jobs()) is not None
        assert answers(scene, day) == before
        judged(scene, day)
        assert the_move_is_watched(scene, tmp_path)
        assert worker.stop() == 0


def the_move_is_watched(scene: Stage, folder: Path) -> bool:
    """Whether the published deltas of ada's orders tell that A-2 was taken back, and by which row of which file."""
    orders = ("ada", "--kind", "order", "--no-alerts", "--from-beginning", "--limit", "3")
    lines = scene.start("watch", "--json", *orders, name="watch").finish(SECONDS).splitlines()
    taken_back = [event for event in map(json.loads, lines) if event["retracted"]]
    origin = {"source": (folder / "moved-orders.csv").as_uri(), "row": 1}
    return [(event["entity_id"], event["origin"]) for event in taken_back] == [("A-2", origin)]
