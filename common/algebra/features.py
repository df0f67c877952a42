"""The features that models are fed with: the metrics in types that models take, by the table of metrics. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from common.algebra.metrics import METRICS

Kind = Literal["integer", "real", "truth", "text"]
"""An integer of 64 bits, a float of 64 bits, a boolean, or a text. Each may be null."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: its name, its type, and what of an answer it is."""

    name: str
    kind: Kind
    of: Literal["metrics", "profile"]
    """The part of an answer that it is read from."""
    source: str
    """The metric, or the field of the profile."""
    places: int
    """The decimal places of the source that the integer holds: 2 where an amount becomes cents."""
    rule: str


class _Form(NamedTuple):
    kind: Kind
    suffix: str = ""
    places: int = 0


_FORMS: Final = {
    "money": _Form("integer", "_cents", 2),
    "count": _Form("integer"),
    "days": _Form("integer"),
    "years": _Form("integer"),
    "hours": _Form("real"),
    "rate": _Form("real"),
    "flag": _Form("truth"),
}
"""By the unit of a metric. Units that are not here, dates and texts, are no features: a model is told days and flags.

A real is the float next to the answer's decimals. Rounded to their places, it gives the answer's text again.
"""
_OF_PROFILE: Final = ("country", "segment")
"""The profile's dates are in the metrics `age_years` and `tenure_days`."""
FEATURES: Final = (
    *(
        Feature(metric.name + form.suffix, form.kind, "metrics", metric.name, form.places, metric.rule)
        for metric in METRICS
        if (form := _FORMS.get(metric.unit)) is not None
    ),
    *(Feature(name, "text", "profile", name, 0, "of the profile; null without it") for name in _OF_PROFILE),
)
