"""Shows fields of events, facts and deltas in the units that people read: amounts as decimals, dates in RFC 3339."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from common.algebra.alerts import Alert, CustomerAtRisk
from common.algebra.dates import MICROS_PER_DAY, datetime_of, iso_of
from common.algebra.facts import Image
from common.algebra.measures import MEASURES
from common.log.copy_events import MeasureChange
from serving_layer.schemas.explanation import Happened, Shown

_MONEY: Final = frozenset({"amount", "threshold"}) | {measure.name for measure in MEASURES if measure.unit == "money"}
"""What is in cents: the amount of a payload or an alert, an alert's threshold, and the measures of money."""
_DATES: Final = ("_date", "_at")


def happened(before: Image | None, after: Image) -> Happened:
    """Returns what a change did to its entity: `new`, `changed`, `taken back` or `brought back` (R5b)."""
    if after.retracted:
        return "taken back"
    if before is None:
        return "new"
    return "brought back" if before.retracted else "changed"


def changes(before: Image | None, after: Image | None) -> dict[str, tuple[Shown, Shown]]:
    """Returns each payload field that differs, as (before, after).

    An entity that is new or brought back has all its fields here, each from None. One that is taken back has all the
    fields that it had, each to None.
    """
    old, new = fields(before), fields(after)
    if not old:
        return {name: (None, value) for name, value in new.items()}
    pairs = {name: (value, new.get(name)) for name, value in old.items()}
    return {name: (was, now) for name, (was, now) in pairs.items() if was != now}


def fields(image: Image | None) -> dict[str, Shown]:
    """Returns a payload's fields as people read them; none without an image, and of a retracted one."""
    if image is None or image.retracted:
        return {}
    payload = image.payload
    return {name: shown(name, getattr(payload, name)) for name in payload.__struct_fields__}


def shown(name: str, value: Shown) -> Shown:
    """Returns a field's value as people read it. A time at midnight, UTC, is shown as a plain date."""
    if not isinstance(value, int):
        return value
    if name in _MONEY:
        return money(value)
    return moment(value) if name.endswith(_DATES) else value


def money(cents: int) -> str:
    """Cents as a decimal string."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def moment(micros: int) -> str:
    """Returns microseconds as a day if they are at midnight, else as a time, both UTC."""
    if micros % MICROS_PER_DAY == 0:
        return iso_of(micros // MICROS_PER_DAY)
    return datetime_of(micros).isoformat().replace("+00:00", "Z")


def amounts(values: tuple[MeasureChange, ...]) -> list[str]:
    """Returns what was added to the measures: `revenue +10.00 on 2024-06-01`."""
    return [f"{each.measure} {signed(each.measure, each.amount)} on {each.day}" for each in values]


def signed(measure: str, amount: int) -> str:
    """An amount with its sign."""
    text = str(shown(measure, amount))
    return text if text.startswith("-") else f"+{text}"


def evidence(alert: Alert) -> Mapping[str, object]:
    """An alert's fields as people read them."""
    fields: dict[str, Any] = msgspec.to_builtins(alert)
    tickets = [{**ticket, "day": iso_of(ticket["day"])} for ticket in fields.pop("tickets", ())]
    named = {name: shown(name, value) for name, value in fields.items()}
    return {**named, "tickets": tickets} if isinstance(alert, CustomerAtRisk) else named
