"""What the log gives, record by record: facts and rows below a cut (R16)."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from common.algebra.cut import Cut
from common.algebra.facts import Fact, Image, decide
from common.algebra.measures import contribution
from common.algebra.profile import KIND as PROFILE
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.log.position import Position

if TYPE_CHECKING:
    from tests.simulation.world import World

Facts = Mapping[str, Mapping[tuple[str, str], Fact]]
"""By customer and entity, the current facts; a customer without any is absent."""


def current_facts(
    world: "World", cut: Cut, *, without: Position | None = None, absent: Collection[Position] | None = None
) -> Facts:
    """The current facts below the cut, without one record, and without the `absent`: those that are lost."""
    absent = world.losses.lost if absent is None else absent
    facts: dict[str, dict[tuple[str, str], Fact]] = {}
    for record in world.log.records:
        position = Position(record.partition, record.offset)
        event = world.events.get(position)
        if event is None or record.offset >= cut[record.partition] or position == without or position in absent:
            continue
        current = facts.setdefault(event.customer_id, {})
        if event.image is None:
            current.clear()
            continue
        _, fact = decide(current.get((event.kind, event.entity_id)), event.image, record.offset)
        if fact is not None:
            current[event.kind, event.entity_id] = fact
    return {customer: current for customer, current in facts.items() if current}


def recomputed(world: "World", cut: Cut) -> dict[str, ViewRow]:
    """R16: a row for every customer with a current fact below the cut."""
    return rows_of(current_facts(world, cut))


def rows_of(facts: Facts) -> dict[str, ViewRow]:
    """The customers' rows of a view."""
    return {customer: _row(current, customer) for customer, current in facts.items()}


def images_of(facts: Facts, customer: str) -> dict[tuple[str, str], Image]:
    """The images of a customer's facts."""
    return {entity: fact.after for entity, fact in facts.get(customer, {}).items()}


def _row(current: Mapping[tuple[str, str], Fact], customer: str) -> ViewRow:
    profile = current.get((PROFILE, customer))
    state = State.sum(contribution(fact.after.payload) for fact in current.values())
    return ViewRow(state, None if profile is None else profile.after)
