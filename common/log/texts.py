"""The types of text in a record: each is a check, its JSON Schema, and the rule that errors quote (R3).

The patterns mean the same to Python's `re` and to ECMAScript with the flag `u`, which JSON Schema prescribes. They take
time in proportion to the text, whatever it holds.
"""

from typing import Annotated, Final

from msgspec import Meta

from common.algebra.dates import BIRTH_DATE_RULE, DATE_PATTERN, DATE_RULE, PLAIN_DATE_PATTERN

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"
_JOINERS: Final = r"\u200c\u200d"
_SELECTORS: Final = r"\ufe00-\ufe0f"
_NOWHERE: Final = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    # Python and ECMAScript spell escapes above U+FFFF differently: these stand in the patterns as they are.
    "\\ufeff\\uffa0\\ufff0-\\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The invisible characters that no id and no label holds."""
_INVISIBLE: Final = f"{_NOWHERE}{_JOINERS}{_SELECTORS}"
"""Unicode's Default_Ignorable_Code_Point, and the separators of lines and paragraphs."""
_SPACE: Final = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""White space; what else Unicode calls so is a control or a separator."""
_ID_RULE: Final = "no control or invisible character, no white space at the ends"
CUSTOMER_ID_RULE: Final = f"1 to 128 characters, {_ID_RULE}, no '/', and not '.' or '..'"
_LABEL_RULE: Final = (
    f"{_ID_RULE}; but joiners (U+200C, U+200D) and variation selectors (U+FE00 to U+FE0F) are allowed inside, "
    "and one variation selector at the end"
)


def _visible(further: str = "") -> str:
    """The pattern of a text without white space at its ends, and without invisible and `further` characters."""
    inside = f"{_CONTROL}{_INVISIBLE}{further}"
    return rf"[^{inside}{_SPACE}]([^{inside}]*[^{inside}{_SPACE}])?$(?!\n)"


def _label() -> str:
    """The pattern of a text like `_visible()` that people write in any script, and with emoji.

    Joiners and variation selectors stand between two visible characters; a selector may also follow the last one, as
    in the emoji of a heart.
    """
    end = f"[^{_CONTROL}{_INVISIBLE}{_SPACE}]"
    return rf"^{end}([^{_CONTROL}{_NOWHERE}]*{end})?[{_SELECTORS}]?$(?!\n)"


CustomerIdText = Annotated[
    str,
    Meta(min_length=1, max_length=128, pattern=rf"^(?!\.\.?$){_visible('/')}", description=CUSTOMER_ID_RULE),
]
ErasableIdText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=rf"^[^{_CONTROL}/]*$(?!\n)",
        description="1 to 128 characters, no control character, no '/': an erasure takes every id that an older "
        "release accepted",
    ),
]
"""A customer's id by the rule of validation 2. Records under such an id may be in a log, and must be erasable (R24)."""
IdText = Annotated[
    str, Meta(min_length=1, max_length=128, pattern=f"^{_visible()}", description=f"1 to 128 characters, {_ID_RULE}")
]
DateText = Annotated[str, Meta(pattern=DATE_PATTERN, description=DATE_RULE)]
AmountText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,10}(\.[0-9]{1,2}0*)?$(?!\n)",
        description="a decimal string, 0 or more, at most 10 digits before the point and two after it; "
        "zeros at its end do not count",
    ),
]
BirthDateText = Annotated[str, Meta(pattern=PLAIN_DATE_PATTERN, description=BIRTH_DATE_RULE)]
CountryText = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", description="an ISO 3166 alpha-2 code: two capital letters, such as GB")
]
CategoryText = Annotated[
    str, Meta(min_length=1, max_length=128, pattern=_label(), description=f"1 to 128 characters, {_LABEL_RULE}")
]
SegmentText = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=_label(), description=f"1 to 64 characters, {_LABEL_RULE}")
]
IsRetracted = Annotated[
    bool,
    Meta(description="a boolean; true takes the entity back, and then only its ids and updated_at are read"),
]
CurrencyText = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{3}$(?!\n)",
        description="an ISO 4217 code: three capital letters, such as USD; the deployment's own",
    ),
]
_NAME_PART: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z\-]+"
JsonMediaType = Annotated[
    str,
    Meta(
        pattern=rf"^{_NAME_PART}/({_NAME_PART}\+)?[Jj][Ss][Oo][Nn]([ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?$(?!\n)",
        description="application/json, or another media type of JSON, which ends in +json: data is a JSON object",
    ),
]
"""A media type whose subtype is json or ends in +json, in any case, with any parameters."""
