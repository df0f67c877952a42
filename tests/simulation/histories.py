"""Histories that fresh seeds found about once in 20,000: each ended with an answer that was not right, written down."""

from tests.simulation.stage import Stage
from tests.support.builders import erasure, order


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
