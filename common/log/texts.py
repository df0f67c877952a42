"""The types of text in a record: each is a check, its JSON Schema, and the rule that errors quote (R3)."""

from typing import Annotated, Final

from msgspec import Meta

from common.algebra.dates import BIRTH_DATE_RULE, DATE_PATTERN, DATE_RULE, PLAIN_DATE_PATTERN

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"

CustomerIdText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=rf"^[^{_CONTROL}/]*$(?!\n)",
        description="1 to 128 characters, no control character, no '/'",
    ),
]
IdText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=rf"^[^{_CONTROL}]*$(?!\n)",
        description="1 to 128 characters, no control character",
    ),
]
DateText = Annotated[str, Meta(pattern=DATE_PATTERN, description=DATE_RULE)]
AmountText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,10}(\.[0-9]{1,2})?$(?!\n)",
        description="a decimal string, 0 or more, at most 10 digits before the point and two after it",
    ),
]
BirthDateText = Annotated[str, Meta(pattern=PLAIN_DATE_PATTERN, description=BIRTH_DATE_RULE)]
CountryText = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", description="an ISO 3166 alpha-2 code: two capital letters, such as GB")
]
SegmentText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=rf"^[^{_CONTROL}]*$(?!\n)",
        description="1 to 64 characters, no control character",
    ),
]
IsRetracted = Annotated[
    bool,
    Meta(description="a boolean; true takes the entity back, and then only its ids and updated_at are read"),
]
CurrencyText = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="an ISO 4217 code: the deployment's own")]
