"""The metrics and the profile in an answer, as the OpenAPI document shows them: by the table of metrics."""

from typing import Annotated, Final

from pydantic import WithJsonSchema

from common.algebra.metrics import METRICS, MetricValue

_JSON_TYPES: Final = {"count": "integer", "days": "integer", "years": "integer", "flag": "boolean"}
"""The JSON types of units. Units that are not here (money, hours, rates, dates, text) are strings."""
_METRICS_SCHEMA: Final = {
    "type": "object",
    "required": [metric.name for metric in METRICS],
    "properties": {
        metric.name: {
            "type": [_JSON_TYPES.get(metric.unit, "string"), "null"],
            "description": f"{metric.unit}: {metric.rule}",
        }
        for metric in METRICS
    },
}
Metrics = Annotated[dict[str, MetricValue], WithJsonSchema(_METRICS_SCHEMA)]
ChosenMetrics = Annotated[
    dict[str, MetricValue],
    WithJsonSchema({name: part for name, part in _METRICS_SCHEMA.items() if name != "required"}),
]
"""All metrics, or those that the request chose."""

_PROFILE_SCHEMA: Final = {
    "type": ["object", "null"],
    "description": "what the customer is, as known today: `as_of` selects days, not profiles; null if nothing is known",
    "required": ["signed_up_date", "birth_date", "country", "segment"],
    "properties": {
        "signed_up_date": {"type": ["string", "null"], "description": "an ISO day (UTC)"},
        "birth_date": {"type": ["string", "null"], "description": "an ISO day"},
        "country": {"type": ["string", "null"], "description": "ISO 3166 alpha-2"},
        "segment": {"type": ["string", "null"]},
    },
}
Profile = Annotated[dict[str, str | None] | None, WithJsonSchema(_PROFILE_SCHEMA)]
