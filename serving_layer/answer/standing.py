"""How far each layer is behind, in all partitions. Pure (R22)."""

from collections.abc import Mapping, Sequence

from common.algebra.losses import Range
from common.progress import Progress
from common.settings import ServingSettings
from serving_layer.answer.losses import reason_of
from serving_layer.answer.provenance import Release, batch_info, batch_versions, condition
from serving_layer.answer.reasons import Reason, names, texts
from serving_layer.read.store import Pin
from serving_layer.schemas.batches import BatchStanding, SpeedStanding, Standing
from serving_layer.schemas.provenance import ReasonName


def standing(
    pin: Pin, progress: Mapping[int, Progress], *, release: Release, limits: ServingSettings, now: int
) -> Standing:
    """Returns where both layers stand at `now` (microseconds, UTC).

    The reasons are those that degrade the answers of some partition or of all, each once. Marks of accepted drift
    degrade single customers: there is one reason for all of them.
    """
    published = pin.published
    everywhere = batch_versions(published, release)
    reasons: dict[str, Reason] = {}
    for partition in range(pin.partitions):
        found = condition(partition, published, progress.get(partition), release=release, limits=limits, now=now)
        reasons |= {_placed(reason, partition, everywhere): reason for reason in found.reasons}
    waiting = [reason_of(Range.of(loss)) for loss in pin.pointer.losses if not loss.sent_again]
    if pin.pointer.marked:
        text = "accepted drift: some customers' answers are degraded until the speed tables are rebuilt"
        waiting.append(Reason(ReasonName.ACCEPTED_DRIFT, text))
    placed = [Reason(reason.name, text) for text, reason in reasons.items()] + waiting
    info = batch_info(published)
    return Standing(
        batch=None
        if info is None or published is None
        else BatchStanding(info, age_seconds=max(now - published.published_at, 0) / 1e6),
        speed=[_speed(each, now) for _, each in sorted(progress.items())],
        status="degraded" if placed else "exact",
        reasons=texts(placed),
        reason_names=names(placed),
    )


def _placed(reason: Reason, partition: int, everywhere: Sequence[Reason]) -> str:
    """Returns the reason's text with its partition, but for what is the same in all of them, or names it already."""
    is_placed = reason in everywhere or reason.name is ReasonName.NEVER_RAN
    return str(reason) if is_placed else f"partition {partition}: {reason}"


def _speed(progress: Progress, now: int) -> SpeedStanding:
    return SpeedStanding(
        partition=progress.partition,
        next_offset=progress.next_offset,
        behind_records=progress.behind_records,
        behind_seconds=progress.behind_seconds(now),
        silent_seconds=progress.silent_seconds(now),
    )
