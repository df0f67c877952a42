"""Judging how often fields are null or absent. Pure, in exact fractions."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from batch_layer.gate.rules import NullsRule
from batch_layer.gate.verdicts import exact, limited, unjudged
from batch_layer.gate_report import Finding
from common.log.shapes import Observed, Shape, Source

LEAST_RECORDS: Final = 100
"""A source that sent fewer has no share of nulls to speak of."""


def nulls(rule: NullsRule, shapes: Sequence[Observed], declared: Mapping[Source, Shape]) -> Finding:
    """Returns the verdict on a field's share of nulls, or on how far shares rose above the declared ones."""
    if rule.rise is not None:
        return _rise(rule, rule.rise, shapes, declared)
    found = [observed.shape for observed in shapes if observed.source.kind == rule.of]
    records = sum(shape.records for shape in found)
    if not records or rule.field is None or rule.at_most is None:
        return unjudged(rule, f"there is no new record of {rule.of}")
    null = sum(int(shape.null_share(rule.field) * shape.records) for shape in found)
    text = f"{rule.of}.{rule.field} is null or absent in {null:,} of {records:,} records"
    verdict = limited(rule, Fraction(null, records), rule.at_most, text)
    return msgspec.structs.replace(verdict, failing=null, concerned=records)


def _rise(rule: NullsRule, rise: float, shapes: Sequence[Observed], declared: Mapping[Source, Shape]) -> Finding:
    """The field whose share of nulls rose most decides. Fields that are gone are a rule of shapes' business."""
    rises = [
        (found.null_share - known.null_share, f"{observed.source.kind}.{name} from {observed.source.name}")
        for observed in shapes
        for name, found in observed.shape.fields.items()
        if observed.shape.records >= LEAST_RECORDS
        and observed.source in declared
        and (known := declared[observed.source].fields.get(name)) is not None
    ]
    if not rises:
        return unjudged(rule, f"no source of a declared shape sent {LEAST_RECORDS} records")
    most, name = max(rises)
    text = f"the share of nulls of {name} changed by {float(most):+.1%}"
    found = limited(rule, most, rise, text)
    return msgspec.structs.replace(found, failing=sum(more > exact(rise) for more, _ in rises), concerned=len(rises))
