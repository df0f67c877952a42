"""Judges whether answers from a partition are exact or degraded, by pure functions (R22)."""

from dataclasses import dataclass

import msgspec

from common.algebra.dates import datetime_of
from common.algebra.pointer import Published, cut_of
from common.algebra.versions import logic_version, versions_in
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.progress import Progress
from common.settings import ServingSettings, Settings
from serving_layer.answer.reasons import Reason
from serving_layer.read.reading import complete_below
from serving_layer.schemas.provenance import BatchInfo, ReasonName


@dataclass(frozen=True, slots=True)
class Release:
    """The versions of the code that answers (R7)."""

    logic_version: str
    validation_version: str

    @classmethod
    def of(cls, settings: Settings) -> "Release":
        return cls(logic_version(), validation_version(Rules(settings.log.currency)))


class Condition(msgspec.Struct, frozen=True):
    """The condition of both layers in one partition. Its answers are exact if `reasons` is empty, else degraded."""

    reasons: tuple[Reason, ...]
    behind_records: int | None
    behind_seconds: float | None
    complete_below: int
    """Every delta below this offset was readable before the deltas were read."""


def condition(
    partition: int,
    published: Published | None,
    progress: Progress | None,
    *,
    release: Release,
    limits: ServingSettings,
    now: int,
) -> Condition:
    """Returns the condition of `partition` at `now` (microseconds, UTC), by the pinned batch and the progress read.

    Reasons are: versions that differ (the speed layer's are all that decided what it applied), deltas that are gone, a
    speed layer that never ran, is silent or is too far behind.
    """
    cut = cut_of(published)[partition]
    reasons = batch_versions(published, release)
    if progress is None:
        reasons.append(Reason(ReasonName.NEVER_RAN, f"the speed layer never ran in partition {partition}"))
        return Condition(tuple(reasons), None, None, complete_below(None, cut))
    if progress.validation_version != release.validation_version:
        decided = " and ".join(versions_in(progress.validation_version))
        reasons.append(_differ(ReasonName.VALIDATION_VERSION, "the speed layer", decided, release))
    if cut < progress.from_offset:
        text = f"cut {cut} is below from_offset {progress.from_offset}: deltas between them are gone"
        reasons.append(Reason(ReasonName.DELTAS_GONE, text))
    seconds = progress.behind_seconds(now)
    reasons += _lateness(progress, seconds, limits, now)
    return Condition(tuple(reasons), progress.behind_records, seconds, complete_below(progress, cut))


def batch_info(published: Published | None) -> BatchInfo | None:
    """Returns what an answer shows of the pinned batch, None before the first one."""
    if published is None:
        return None
    plan = published.plan
    return BatchInfo(
        id=published.batch_id,
        published_at=datetime_of(published.published_at),
        cut=plan.cut.offsets,
        logic_version=plan.logic_version,
    )


def batch_versions(published: Published | None, release: Release) -> list[Reason]:
    """Returns a reason for each version of the batch that is not this release's."""
    if published is None:
        return []
    plan = published.plan
    who = f"batch {published.batch_id}"
    reasons = []
    if plan.logic_version != release.logic_version:
        reasons.append(_differ(ReasonName.LOGIC_VERSION, who, plan.logic_version, release))
    if plan.validation_version != release.validation_version:
        reasons.append(_differ(ReasonName.VALIDATION_VERSION, who, plan.validation_version, release))
    return reasons


def _differ(name: ReasonName, who: str, version: str, release: Release) -> Reason:
    return Reason(name, f"{name} of {who} is {version}, of this release {getattr(release, name)}")


def _lateness(progress: Progress, seconds: float | None, limits: ServingSettings, now: int) -> list[Reason]:
    """The reasons for which the speed layer is too late; `seconds` is how far it is behind."""
    silent = progress.silent_seconds(now)
    if silent is None:
        return [Reason(ReasonName.NO_HEARTBEAT, "the speed layer has never sent a heartbeat")]
    if silent > limits.max_behind_seconds:
        text = f"the speed layer is silent for {silent:.0f} s, more than {limits.max_behind_seconds:g} s"
        return [Reason(ReasonName.SILENT, text)]
    reasons = []
    records = progress.behind_records
    if records > limits.max_behind_records:
        text = f"the speed layer is {records} records behind, more than {limits.max_behind_records}"
        reasons.append(Reason(ReasonName.BEHIND_RECORDS, text))
    if records and seconds is None:
        reasons.append(Reason(ReasonName.NOT_CAUGHT_UP, "the speed layer has not caught up with the log yet"))
    if seconds is not None and seconds > limits.max_behind_seconds:
        text = f"the speed layer is {seconds:.0f} s behind, more than {limits.max_behind_seconds:g} s"
        reasons.append(Reason(ReasonName.BEHIND_SECONDS, text))
    return reasons
