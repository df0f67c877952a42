"""Takes erased customers' ids out of the names of files and producers in the kept lineage (R24).

Nothing else in an event can hold an id: reasons, findings and values are not in events.
"""

from collections.abc import Sequence

from batch_layer.lineage.kept import Kept
from common.log.erasure import Erasure
from common.log.mention import without
from common.settings import Settings


def scrub(settings: Settings, of: Sequence[Erasure]) -> tuple[int, list[str]]:
    """Replaces the ids by `(erased at P:O)`; returns how many events changed, and what is left elsewhere. Idempotent.

    What changed was sent to the endpoint, if there is one, which this command does not reach.
    """

    def renamed(name: str) -> str:
        for each in of:
            name = without(name, each.customer_id, f"(erased at {each.position})")
        return name

    changed = Kept.of(settings).rename_origins(renamed)
    is_elsewhere = changed > 0 and bool(settings.lineage.url)
    left = "the endpoint of LAMBDA360_LINEAGE_URL was sent the same names of files: delete them there"
    return changed, [left] if is_elsewhere else []
