"""The body of an error (RFC 9457)."""

from dataclasses import dataclass

from serving_layer.schemas.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Problem:
    """An error (RFC 9457). `field`, `value` and `rule` say which input broke which rule."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    field: str | None = None
    value: str | None = None
    rule: str | None = None
    reasons: list[str] | None = None
    customer_id: str | None = None
    provenance: Provenance | None = None
