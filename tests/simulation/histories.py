"""Histories that fresh seeds found about once in 20,000: each ended with an answer that was not right, written down."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from common.errors import LogError
from common.log.events import validation_version
from speed_layer.progress.table import TRUSTED_MICROS
from tests.simulation.process import RULES, TTL_SECONDS
from tests.simulation.stage import PARTITION, Stage
from tests.support.builders import erasure, order

NEWER: Final = "newer"
"""The validation version of a release that comes after this one."""


async def a_point_read_of_a_reset() -> None:
    """Seed 780961. A reset times out, and is on one replica; a worker reads the row of a record that it met again.

    The partition's deletion must not get to another replica without the reset's own row, which that read did not ask
    for: a quorum that holds the deletion and no marker knows nothing of the customer, nor of the reset.
    """
    stage = Stage()
    stage.append(order(order_id="o1"))
    stage.append(erasure())
    stage.write(0)
    await stage.progress(1)
    stage.write(1, to=[0])

    await stage.republish(0, asks=(0, 1))

    assert (await stage.answer((1, 2))).known
    assert not (await stage.answer((0, 1), (0, 1))).known


async def a_cut_inside_a_mutation() -> None:
    """Seed 2028853. A mutation of two records times out, and is on one replica; a batch's cut lies between the two.

    A reader of that batch asks for the second record alone. Another reader, which pinned the pointer before that batch,
    must not find the second record without the first.
    """
    stage = Stage()
    stage.append(order(order_id="o1"))
    stage.append(order(order_id="o2"))
    await stage.progress(0)
    stage.write(0, 1, to=[0])

    stage.batch(cut=1)
    assert (await stage.answer((0, 1), (0, 2))).provenance.log.next_offset == 2
    stage.no_batch()

    assert (await stage.answer((1, 2), (1, 2))).provenance.log.next_offset == 0
    assert (await stage.answer((0, 2), (1, 2))).provenance.log.next_offset == 2


async def overlapping_starts() -> None:
    """Seed 777505. A worker asks twice where it starts, and the older read, of before a row was there, returns last.

    The lane is the newer one's, and so is its `from_offset`: every delta from there on is alive.
    """
    stage = Stage()
    stage.append(order())
    keeper = stage.keeper(validation_version(RULES))
    older: list[Callable[[], None]] = []
    stage.held = older
    first = asyncio.ensure_future(keeper.starts([PARTITION]))
    while not older:
        await asyncio.sleep(0)
    stage.held = None
    stage.write(0)
    await stage.progress(1)

    starts = await keeper.starts([PARTITION])
    keeper.lanes.open(PARTITION, starts[PARTITION])
    older.pop()()
    await first
    await keeper.beat()

    assert (await stage.answer((0, 1), (0, 1))).provenance.status == "exact"


async def a_worker_that_was_stopped_for_long() -> None:
    """Seed 96105452. A worker asks Kafka which deltas may have expired, is stopped, and goes on with its heartbeat.

    Deltas have expired meanwhile, of which the row knows nothing: it must not claim the time of the stop.
    """
    stage = Stage()
    stage.append(order())
    stage.write(0)
    await stage.progress(1)
    keeper = stage.keeper(validation_version(RULES))
    starts = await keeper.starts([PARTITION])
    keeper.lanes.open(PARTITION, starts[PARTITION])
    assert (await stage.answer((0, 1), (0, 1))).known

    stage.pass_time(TTL_SECONDS + 2 * TRUSTED_MICROS / 1e6)
    await keeper.write(stage.now)

    assert not (await stage.answer((0, 1), (0, 1))).known


async def a_pointer_of_before_a_loss() -> None:
    """A record is lost that no worker applied, and is accepted. A request pinned the pointer before that.

    It knows of no loss, and must not find what comes after the gap: a worker of the generation that is served never
    passes it, accepted or not. A rebuild does, in tables that only a newer pointer names.
    """
    stage = Stage()
    for name in ("o1", "o2", "o3"):
        stage.append(order(order_id=name))
    stage.write(0)
    await stage.progress(1)
    stage.losses.firsts[PARTITION] = 2

    try:
        starts = await stage.keeper(validation_version(RULES)).starts([PARTITION])
    except LogError:
        pass
    else:
        assert starts[PARTITION].offset == 2
        stage.write(2)
        await stage.progress(3)

    await stage.answer((0, 1), (0, 1))


async def _with_one_of_three_applied() -> Stage:
    stage = Stage()
    for name in ("o1", "o2", "o3"):
        stage.append(order(order_id=name))
    stage.write(0)
    await stage.progress(1)
    return stage


async def a_loss_beside_a_kept_pin() -> None:
    """A loss is accepted, and a worker passes the gap, between the two reads of which a kept pin is made.

    No worker of ours does (docs/adr/0030); R15 allows it. The pin must not have the progress of behind the gap without
    the loss, or its answers would be exact, and lack what was lost, for as long as it is kept.
    """
    stage = await _with_one_of_three_applied()

    async def pass_the_gap() -> None:
        stage.lose(1, 2)
        stage.write(2)
        await stage.progress(3)

    await stage.answer_by_a_kept_pin(between=pass_the_gap)


async def a_loss_after_a_kept_pin() -> None:
    """A loss is accepted, and a worker passes the gap, after a pin was kept: what is above the pin stands behind it."""
    stage = await _with_one_of_three_applied()

    async def pass_the_gap() -> None:
        stage.lose(1, 2)
        stage.write(2)

    await stage.answer_by_a_kept_pin(later=pass_the_gap)


async def a_slot_reused_under_a_kept_pin() -> None:
    """A newer batch is loaded into the slot that a kept pin names; the pin's cut is not that batch's."""
    stage = Stage()
    stage.append(order(order_id="o1"))
    stage.append(order(order_id="o2"))
    stage.write(0, 1)
    await stage.progress(2)
    stage.batch(cut=1)

    async def reuse() -> None:
        stage.batch(cut=2, batch_id=4)

    assert (await stage.answer_by_a_kept_pin(later=reuse)).provenance.log.next_offset == 2


async def a_pin_that_is_kept_too_long() -> None:
    """Of a customer whose records change nothing no delta says that the pin is old; the bound does."""
    stage = Stage()
    stage.append(order(order_id="o1"))
    stage.append(order(order_id="o1"))
    stage.write(0)
    await stage.progress(1)

    async def go_on() -> None:
        await stage.progress(2)
        stage.pass_time(31)

    assert (await stage.answer_by_a_kept_pin(later=go_on)).provenance.log.next_offset == 2


async def progress_beside_a_kept_pins_deltas() -> None:
    """A record is applied right after a request has read its deltas: the answer must not claim to hold it."""
    stage = Stage()
    stage.append(order(order_id="o1"))
    stage.append(order(order_id="o2"))
    stage.write(0)
    await stage.progress(1)

    async def apply() -> None:
        stage.write(1)
        await stage.progress(2)

    assert (await stage.answer_by_a_kept_pin(meanwhile=apply)).provenance.log.next_offset == 1


async def another_release_goes_on() -> tuple[Sequence[str], Sequence[str]]:
    """A worker of a newer release goes on where an older one was; both releases' readers are told of what they miss.

    Returns the reasons that a reader of the older release gives, and those of a reader of the newer one.
    """
    stage = Stage()
    stage.append(order(order_id="o1"))
    stage.append(order(order_id="o2"))
    stage.write(0)
    await stage.progress(1)

    keeper = stage.keeper(NEWER)
    starts = await keeper.starts([PARTITION])
    keeper.lanes.open(PARTITION, starts[PARTITION])
    stage.write(1)
    before_a_beat = await stage.reasons(validation_version(RULES))
    await keeper.beat()

    assert await stage.reasons(validation_version(RULES)) == before_a_beat
    return before_a_beat, await stage.reasons(NEWER)
