"""Random valid records of each kind: the words, dates, amounts and ids that validation accepts."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Final

from tests.golden.records import OPTIONAL, Raw, plain, raw

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "status": ("pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled"),
    "priority": ("low", "normal", "medium", "high", "urgent"),
    "event_type": ("email_open", "email_click", "campaign_view"),
}


def valid(type_: str, random: Random) -> Iterator[Raw]:
    """Valid records, their dates on both sides of the append time."""
    for _ in range(200):
        record = plain(type_, f"c{random.randrange(40)}")
        data = record["data"]
        data |= {field: _value(field, random) for field in data if field != "customer_id"}
        optional = [field for field in OPTIONAL.get(type_, ()) if field != "retracted" and random.randrange(2)]
        data |= {field: _value(field, random) for field in optional}
        data |= random.choice(({}, {"retracted": False}))
        record |= random.choice(({}, {"sourcerow": random.randrange(1, 2**31)}))
        if "resolved_date" in data:
            data["created_date"] = _moment(random, 1, 15_000)
        yield raw({**record, "time": _moment(random)})


def _value(field: str, random: Random) -> str:
    if field == "resolved_date":
        return _moment(random, 15_002, 20_000)
    if field == "birth_date":
        return str(date(1850, 1, 1) + timedelta(days=random.randrange(91_676)))
    if field.endswith(("_at", "_date")):
        return _moment(random)
    if field.endswith("amount"):
        return f"{random.randrange(10 ** random.randrange(1, 11))}{random.choice(('', '.5', '.05', '.99'))}"
    if field in ("currency", "country"):
        return "USD" if field == "currency" else random.choice(("GB", "JP", "ZZ"))
    return random.choice(_WORDS.get(field, (f"{field}-{random.randrange(1000)}",)))


def _moment(random: Random, least: int = 1, most: int = 19_950) -> str:
    """A date or a time between two days since 1970, in one of the permitted spellings."""
    day = str(date(1970, 1, 1) + timedelta(days=random.randrange(least, most)))
    if random.randrange(4) == 0:
        return day
    time = f"{random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}"
    fraction = random.choice(("", ".5", ".000001", ".123456", ".999999999"))
    return f"{day}{random.choice('Tt ')}{time}{fraction}{random.choice(('Z', 'z', '+14:00', '-12:00', '+05:30'))}"
