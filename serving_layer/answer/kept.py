"""Answers from one kept batch alone: what was known when it was computed, and nothing since (R17, R24)."""

import asyncio
from datetime import date

from common.algebra.facts import Delta, encode
from common.algebra.marks import MARK_OFFSET
from common.algebra.merge import merge
from common.algebra.metrics import METRICS, MetricValue, present
from common.algebra.pointer import Pointer, Published
from common.algebra.profile import present_profile
from common.log.partition import partition_of
from common.settings import Settings
from serving_layer.answer.answers import Answer, Basis
from serving_layer.answer.losses import loss_reasons
from serving_layer.answer.provenance import Release, batch_info, batch_versions
from serving_layer.answer.reasons import Reason, names, texts
from serving_layer.read.cells import UnreadableCell, mark_reason, view_row
from serving_layer.read.reading import PIN_ATTEMPTS, batch_side
from serving_layer.read.store import Pin, SlotReused, SlotRow, StoreSource, UnknownBatch, ViewStore
from serving_layer.schemas.provenance import LogInfo, Provenance, ReasonName, SpeedInfo


class KeptBatches:
    """Answers from the batches that slots still hold. It keeps nothing between two requests."""

    def __init__(self, source: StoreSource, settings: Settings) -> None:
        self._source = source
        self._release = Release.of(settings)

    async def of(self, customer: str, as_of: date, batch_id: int) -> Answer:
        """Returns the customer's answer by that batch. No delta is in it, and it is complete below the batch's cut.

        A customer who was erased at or above the cut is unknown, as everywhere. Raises UnknownBatch if no slot holds
        the batch, StoreUnavailable if the store does not answer or the slot is reused faster than it is read.
        """
        store = self._source()
        for _ in range(PIN_ATTEMPTS):
            pin = await store.pin()
            batch = _kept(pin.pointer, batch_id)
            try:
                row, reset, mark = await _read(store, pin, batch, customer)
            except SlotReused:
                continue
            return self._answer(customer, as_of, pin, batch=batch, row=row, reset=reset, mark=mark)
        raise SlotReused(f"the slot of batch {batch_id} was overwritten during each of {PIN_ATTEMPTS} reads")

    def _answer(
        self,
        customer: str,
        as_of: date,
        pin: Pin,
        *,
        batch: Published,
        row: SlotRow | None,
        reset: int | None,
        mark: str | None,
    ) -> Answer:
        partition = partition_of(customer, pin.partitions)
        cut = batch.plan.cut[partition]
        erased = [] if reset is None else [(reset, Delta.reset(0))]
        reasons = batch_versions(batch, self._release)
        if mark is not None:
            reasons.append(Reason(ReasonName.ACCEPTED_DRIFT, mark_reason(mark)))
        losses = [loss for loss in pin.pointer.losses if loss.from_offset < cut]
        reasons += loss_reasons(losses, partition, [(offset, encode(delta)) for offset, delta in erased])
        metrics: dict[str, MetricValue]
        try:
            merged = merge(view_row(row), erased, cut)
            metrics = present(merged.state, as_of, merged.profile)
        except UnreadableCell as error:
            reasons.append(Reason(ReasonName.UNREADABLE_CELL, str(error)))
            merged = None
            metrics = dict.fromkeys(metric.name for metric in METRICS)
        return Answer(
            customer_id=customer,
            known=merged is None or merged.known,
            metrics=metrics,
            profile=None if merged is None else present_profile(merged.profile),
            provenance=Provenance(
                status="degraded" if reasons else "exact",
                reasons=texts(reasons),
                reason_names=names(reasons),
                batch=batch_info(batch),
                speed=SpeedInfo(deltas=0, behind_records=None, behind_seconds=None),
                log=LogInfo(partition, cut),
            ),
            basis=Basis(batch.batch_id, pin.pointer.generation, cut),
        )


def _kept(pointer: Pointer, batch_id: int) -> Published:
    for batch in pointer.complete:
        if batch.batch_id == batch_id:
            return batch
    known = ", ".join(str(batch.batch_id) for batch in pointer.complete) or "none yet"
    raise UnknownBatch(f"batch {batch_id} is in no slot; the batches in slots: {known}")


async def _read(
    store: ViewStore, pin: Pin, batch: Published, customer: str
) -> tuple[SlotRow | None, int | None, str | None]:
    """Returns the batch's row of the customer, the offset of its last erasure, and the cell of its mark."""
    generation = pin.pointer.generation
    rows, resets, marks = await asyncio.gather(
        batch_side(store, batch, [customer]),
        store.details.reset_offsets(generation, [customer]),
        store.deltas(generation, [customer], MARK_OFFSET),
    )
    return rows.get(customer), resets.get(customer), dict(marks.get(customer, ())).get(MARK_OFFSET)
