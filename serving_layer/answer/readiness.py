"""Whether every partition would be answered exactly now, and why not."""

from collections.abc import Callable

from common.settings import Settings
from serving_layer.answer.losses import loss_reasons
from serving_layer.answer.provenance import Release, condition
from serving_layer.read.pins import seconds_since_boot, take
from serving_layer.read.store import StoreSource


class Readiness:
    """Judges all partitions by progress and pointer as they are now. `clock` returns microseconds, UTC."""

    def __init__(self, source: StoreSource, settings: Settings, clock: Callable[[], int]) -> None:
        self._source = source
        self._clock = clock
        self._limits = settings.serving
        self._release = Release.of(settings)

    async def reasons(self) -> list[str]:
        """Returns why answers would be degraded, each reason with its partitions; nothing if each would be exact.

        Accepted drift of single customers is not among them. Raises StoreUnavailable if the store does not answer.
        """
        store = self._source()
        kept = await take(store, seconds_since_boot, await store.pin())
        pointer, now = kept.pin.pointer, self._clock()
        found: dict[str, list[int]] = {}
        for partition in range(kept.pin.partitions):
            layers = condition(
                partition,
                pointer.published,
                kept.progress.get(partition),
                release=self._release,
                limits=self._limits,
                now=now,
            )
            for reason in (*layers.reasons, *loss_reasons(pointer.losses, partition, ())):
                found.setdefault(reason, []).append(partition)
        return [f"partition {', '.join(map(str, of))}: {reason}" for reason, of in found.items()]
