"""R24 in the kept lineage: a file's name may name a customer, and nothing else in an event does."""

from pathlib import Path

import pytest

from batch_layer.lineage.kept import Kept
from common.log.erasure import Erasure
from common.log.position import Position
from common.settings import LineageSettings, Settings
from infra.operate.erasure.files import scrub_logs
from infra.operate.erasure.lineage import scrub
from tests.support.lineage import keep, manifest, report

FILES = {"file:///in/zo%C3%AB%2042.csv": {"order": 1}, "file:///in/zoe.csv": {"order": 1}, "zoë 42": {"order": 1}}
ERASED = [Erasure("zoë 42", Position(3, 17), 5)]


@pytest.mark.parametrize(("url", "is_left"), [("", False), ("http://marquez:5000/api/v1/lineage", True)])
def test_r24_ids_in_names_of_files_and_producers_go_and_what_was_sent_is_named(
    tmp_path: Path, url: str, is_left: bool
) -> None:
    settings = Settings(home=tmp_path, lineage=LineageSettings(url=url))
    kept = Kept.of(settings)
    keep(kept, manifest(1, gate=report(FILES)), manifest(2))
    untouched = kept.lines(2)

    changed, left = scrub(settings, ERASED)

    assert changed == 2
    assert [bool("LAMBDA360_LINEAGE_URL" in each) for each in left] == [True] * is_left
    names = [each.name for each in kept.events(1)[-1].inputs if each.is_origin]
    assert names == ["/in/(erased at 3:17).csv", "/in/zoe.csv", "(erased at 3:17)"]
    assert kept.lines(2) == untouched
    assert scrub(settings, ERASED) == (0, [])


def test_r24_the_scrubbing_of_logs_leaves_the_kept_events_whole(tmp_path: Path) -> None:
    """A customer may be called as a metric is; a line that is overwritten would be a run without lineage."""
    settings = Settings(home=tmp_path)
    keep(Kept.of(settings), manifest(1))
    before = Kept.of(settings).lines()

    scrub_logs(tmp_path, ["total_revenue"], [])
    scrub(settings, [Erasure("total_revenue", Position(0, 1), 5)])

    assert Kept.of(settings).lines() == before


def test_without_kept_lineage_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert scrub(Settings(home=tmp_path), ERASED) == (0, [])
