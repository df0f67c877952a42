"""R13 on real servers: workers go on at a batch's cut, with a log that no worker has read, or from far behind it."""

import pytest

from batch_layer.run import run
from common.algebra.cut import Cut
from common.log.position import Position
from common.servers import pointer_row
from infra.operate.dead_letters.selection import Filter
from infra.operate.dead_letters.table import OperatorTable
from tests.support.builders import AS_OF, Message, order, random_messages
from tests.support.copies import Tally, tally_alerts, tally_deltas
from tests.support.harness import wait_until
from tests.support.jobs import Jobs
from tests.support.poison import POISONS
from tests.support.rebuilding import rebuilt, without_alerts
from tests.support.speed_fakes import fold, placed
from tests.support.speed_system import PARTITIONS, cells, log_of, produce, progress
from tests.support.stage import Stage

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]
PATIENCE = 240.0


def assert_exact(scene: Stage) -> None:
    """Everything is applied, and every answer is exact."""
    scene.wait_applied(scene.ends())
    wait_until(lambda: scene.check(AS_OF).right, PATIENCE, f"every answer is exact: {scene.check(AS_OF)}", every=1.0)


def current_cut(scene: Stage) -> Cut:
    published = pointer_row.read(scene.session).published
    assert published is not None
    return published.plan.cut


def assert_copies_from(cut: Cut, *tallies: Tally) -> None:
    """Topics hold each row at or above the cut, and of those below nothing."""
    for tally in tallies:
        assert not tally.different, tally
        assert not tally.unknown, tally
        below = [Position.parse(text) for text in tally.missing]
        assert all(at.offset < cut[at.partition] for at in below), tally


def assert_rows_from(scene: Stage, cut: Cut, generation: int) -> None:
    """Facts are the whole log's (R10); deltas are those at or above the cut, and the marks of erasures."""
    whole = without_alerts(fold(placed(log_of(scene.settings))))
    stored = without_alerts(cells(scene.session, generation))
    resets = {(key[1], value) for key, (value, _) in whole.items() if key[0] == "facts" and key[2:] == ("", "")}
    partitions = {record.key: record.partition for record in log_of(scene.settings)}

    def is_kept(key: tuple[str, ...]) -> bool:
        if key[0] != "deltas":
            return True
        return int(key[2]) >= cut[partitions[key[1].encode()]] or (key[1], key[2]) in resets

    assert stored == {key: cell for key, cell in whole.items() if is_kept(key)}


def test_r13_workers_begin_at_the_first_batch_of_a_log_that_nobody_has_read(scene: Stage) -> None:
    """R14, R15, R18: answers are right, rejected records are dead letters, and the next night is audited as usual."""
    spoiled = [Message(*poison.spoil(*order(f"p{i}")[:2], PARTITIONS)) for i, poison in enumerate(POISONS)]
    produce(scene.settings, [*random_messages(seed=71, count=600, customers=40), *spoiled])

    said = scene.start("batch", "run", "--first").finish(PATIENCE)

    cut = current_cut(scene)
    assert cut.offsets == scene.ends()
    scene.oracle.extend(scene.log.refresh())
    assert len(scene.oracle.rejected) >= len(POISONS)
    assert f"{len(scene.oracle.rejected)} rejected records are dead letters" in said
    assert "Next: `lambda360 speed run`" in said
    assert {p: (row.from_offset, row.next_offset) for p, row in progress(scene.session, 2).items()} == {
        partition: (offset, offset) for partition, offset in cut.offsets.items()
    }
    worker = scene.start("speed", "run")
    produce(scene.settings, random_messages(seed=72, count=300, customers=50))
    assert_exact(scene)
    assert_rows_from(scene, cut, 2)
    assert_copies_from(
        cut,
        tally_deltas(scene.settings, scene.session, PARTITIONS),
        tally_alerts(scene.settings, scene.session, PARTITIONS),
    )
    letters = {letter.address.position for letter in OperatorTable(scene.session).letters(Filter(), with_values=True)}
    assert letters == {Position(record.partition, record.offset) for record, _ in scene.oracle.rejected}
    audited = scene.start("batch", "run", name="next").finish(PATIENCE)
    assert "unaudited" not in audited
    assert_exact(scene)
    again = scene.start("batch", "run", "--first", name="again")
    assert again.process.wait(PATIENCE) == 1
    assert "workers have applied some of this log" in again.tail()
    assert worker.stop() == 0, worker.tail()


@pytest.mark.slow
def test_r13_workers_far_behind_skip_to_a_batch_and_nothing_else_changes(scene: Stage, scene_jobs: Jobs) -> None:
    """A batch before is one that a rollback may go to, so what is skipped above its cut has deltas all the same."""
    worker = scene.start("speed", "run", name="before")
    produce(scene.settings, random_messages(seed=73, count=200, customers=30))
    scene.wait_applied(scene.ends())
    assert run(scene_jobs()) is not None
    first = current_cut(scene)
    assert worker.stop() == 0
    produce(scene.settings, random_messages(seed=74, count=400, customers=30))
    assert run(scene_jobs()) is not None
    skipped = current_cut(scene)

    done = rebuilt(scene_jobs, at_batch=True)

    assert {each.partition: (each.start, each.end) for each in done.unpublished} == {
        partition: (first[partition], offset) for partition, offset in skipped.offsets.items()
    }
    produce(scene.settings, random_messages(seed=75, count=100, customers=30))
    scene.start("speed", "run", name="after")
    assert_exact(scene)
    assert_rows_from(scene, first, 2)
    rolled = scene.start("batch", "rollback", name="rollback")
    assert rolled.process.wait(PATIENCE) == 0, rolled.tail()
    assert current_cut(scene) == first
    assert_exact(scene)
