"""Deltas in one short call, for tests."""

from common.algebra.facts import Delta, Image, Origin
from common.algebra.payloads import kind_of

TESTS = Origin("tests")


def changed(
    entity_id: str, before: Image | None, after: Image, appended_at: int = 0, origin: Origin | None = None
) -> Delta:
    """The delta of a change; its kind is that of the image after it."""
    return Delta(
        kind=kind_of(after.payload),
        entity_id=entity_id,
        before=before,
        after=after,
        appended_at=appended_at,
        origin=origin,
    )
