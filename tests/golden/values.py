"""What fields are made to hold: at, near and beyond every limit. Frozen: more values belong into a new section."""

from typing import Any, Final

DATES: Final = (
    "1970-01-01", "1969-12-31", "2100-12-31", "2101-01-01", "0000-01-01", "0001-01-01", "9999-12-31", "2024-02-29",
    "2023-02-29", "1900-02-29", "2000-02-29", "2024-13-01", "2024-00-10", "2024-06-31", "2024-06-00", "2024-6-1",
    "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:00-00:01",
    "1970-01-01T13:59:59+14:00", "1970-01-01T14:00:00+14:00", "2100-12-31T23:59:59.999999999Z",
    "2100-12-31T23:59:59-00:01", "2101-01-01T00:00:00Z", "2101-01-01T00:00:00+00:01", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2024-06-01T24:00:00Z", "2024-06-01T23:60:00Z", "2024-06-01T23:59:60Z",
    "2024-06-01T10:00:00", "2024-06-01T10:00Z", "2024-06-01T10Z", "2024-06-01t10:00:00z", "2024-06-01 10:00:00Z",
    "2024-06-01_10:00:00Z", "2024-06-01T10:00:00+14:00", "2024-06-01T10:00:00-12:00", "2024-06-01T10:00:00+23:59",
    "2024-06-01T10:00:00+24:00", "2024-06-01T10:00:00+10:60", "2024-06-01T10:00:00+1400", "2024-06-01T10:00:00+14",
    "2024-06-01T10:00:00-00:00", "2024-06-01T10:00:00.Z", "2024-06-01T10:00:00.5Z", "2024-06-01T10:00:00.123456Z",
    "2024-06-01T10:00:00.1234569Z", "2024-06-01T10:00:00.123456789Z", "2024-06-01T10:00:00.1234567891Z",
    "2024-06-01T10:00:00,5Z", "2024-06-01\n", "2024-06-01T10:00:00Z\n", " 2024-06-01", "2024-06-01 ", "", "20240601",
    "2024-W22-6", "2024-153", "2024-06-01Z", "+2024-06-01", "12024-06-01", "-024-06-01", "\u0662024-06-01",
    "01.06.2024", "06/01/2024", "2024/06/01", "1717236000", "now",
)  # fmt: skip
TEXTS: Final = (
    "", "a", "x" * 127, "x" * 128, "x" * 129, "x" * 511, "x" * 512, "x" * 513, "é" * 128, "é" * 129, "😀" * 128,
    "😀" * 129, "a/b", "/", "a b", " ", " a", "a ", ".", "..", "\x00", "a\x00", "a\t", "a\n", "\n", "\x1f", "\x20",
    "\x7e", "\x7f", "\x80", "a\x85", "\x9f", "\xa0", "\u2028", "\ufeff", "\uffff", "e\u0301", "é", "[[[{{{", "null",
    "0", "%2F", "'", '"', "\\",
)  # fmt: skip
AMOUNTS: Final = (
    "0", "0.0", "0.00", "0.01", "0.1", "0.10", "1", "1.5", "1.05", "1.50", "00.10", "007", "99.99", "100", "9999999999",
    "9999999999.9", "9999999999.99", "10000000000", "10000000000.00", "00000000001", "0.001", "1.999", "1.000", ".5",
    "5.", ".", "", "1,5", "1.000,00", "1 000", "1_000", "1e3", "1E3", "+1", "-1", "-0", "-0.00", " 1", "1 ", "1.0\n",
    "1.0.0", "0x10", "\u0661", "NaN", "Infinity", "$1", "1 USD", "null",
)  # fmt: skip
CURRENCIES: Final = (
    "USD", "EUR", "GBP", "usd", "Usd", "US", "USDX", "", "USD\n", " USD", "US1", "$", "\u216cSD", "XXX",
)  # fmt: skip
WORDS: Final = (
    "pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled", "canceled", "Cancelled",
    "refunded", "low", "normal", "medium", "high", "urgent", "critical", "HIGH", "email_open", "email_click",
    "campaign_view", "email_bounce", "", " completed", "completed ", "1.0", "1", "0.3", "1.0.2", "application/json",
    "application/json; charset=utf-8", "text/plain",
)  # fmt: skip
TYPES: Final = (
    "order.recorded", "refund.recorded", "support_ticket.recorded", "marketing_event.recorded", "customer.erased",
    "customer_profile.recorded", "customer.recorded", "order.deleted", "order.retracted", "order", "Order.recorded",
    "order.recorded ", "customer.erased\n", "", "null",
)  # fmt: skip
WRONG_TYPES: Final[tuple[Any, ...]] = (None, True, False, 0, 7, -1, 10.5, 1e300, [], ["a"], {}, {"a": 1})
FURTHER: Final = (
    {"extension": 1}, {"": ""}, {"note": None}, {"tags": ["a", {"b": []}]}, {"retracted": True}, {"retracted": False},
    {"updated_at": "2024-06-05T12:00:00Z"}, {"updated_at": "never"}, {"resolved_date": "2024-06-04"},
    {"currency": "USD"}, {"currency": "EUR"}, {"country": "DE"}, {"kind": "order"}, {"Type": "x"}, {"offset": 3},
)  # fmt: skip
TOKENS: Final = (
    "null", "true", "0", "-0", "10.5", "1e400", "-1e-400", "9" * 5000, "01", "1.", ".5", "-", "NaN", "-Infinity", "[]",
    "{}", "[1,]", "{,}", '{"a":1,"a":2}', "nul", "'x'", '"', '"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"',
    '"\\u0000"', '"\\u00e9"', '"\\x41"', '"\\/"', '"a\tb"', '"\x7f"', "\u00a0", "\ufeff1", "1 2", '"a" "b"', "/* */ 1",
    '"' + "[" * 200 + '"', '"\\"' + "[" * 200 + '"', "[[]," * 50 + "0" + "]" * 50, "[" + "{}," * 150 + "0]",
)  # fmt: skip
BAD_BYTES: Final = (
    b"\xff", b"\xfe", b"\x80", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98", b"\xe9",
)  # fmt: skip
BIRTH_DATES: Final = (
    "1850-01-01", "1849-12-31", "2100-12-31", "2101-01-01", "1969-12-31", "1970-01-01", "2000-02-29", "1900-02-29",
    "1990-01-01T00:00:00Z", "1990-1-1", "", "1990-01-01\n", "19900101", "01.01.1990", "\u0661990-01-01",
)  # fmt: skip
COUNTRIES: Final = ("GB", "ZZ", "gb", "Gb", "G", "GBR", "", "G1", "GB ", "GB\n", "\u00c4T", "\uff27\uff22")
SEGMENTS: Final = (
    "retail", "a", "", " ", "x" * 64, "x" * 65, "é" * 64, "😀" * 64, "😀" * 65, "a/b", '"', "\\", "a\n", "\x00", "\x7f",
    "\x85", "\u2028",
)  # fmt: skip
_INVISIBLE: Final = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B,
    0x200F),
    (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_EDGES: Final = tuple(chr(code) for low, high in _INVISIBLE for code in (low - 1, low, high, high + 1))
_SPACES: Final = (" ", "\xa0", "\u1680", "\u2000", "\u200a", "\u202f", "\u205f", "\u3000")
CHARACTERS: Final = (
    *(f"a{edge}b" for edge in _EDGES),
    *(text for space in _SPACES for text in (f"{space}a", f"a{space}b", f"a{space}")),
)
"""Texts with the characters at the edges of what is invisible, on both sides of each edge, and with white space."""
NAMES: Final = (
    ".", "..", "...", ".a", "a.", "a  b", "  ", "\u3000", "zo\u00eb", "zoe\u0308", "\u2764", "\u2764\ufe0f",
    "\U0001f600",
    "O'Hara", 'a"b', "a\\b", " " * 128, "x" + " " * 126 + "x", "x" + " " * 127 + "x", "\u0645\u06cc\u200c",
)  # fmt: skip
OLDER_IDS: Final = (
    "ada ", " ada", " ", ".", "..", "...", "\xa0", "a\u3000", "a\u200b", "\u200b", "a\u200cb", "\u202edda",
    "a\u2028b", "a\xadb", "\ufeffada", "\u2764\ufe0f", "\u3164", "a\U000e0041", " " * 128, " " * 129,
    "\ufe0f" * 128, "\ufe0f" * 129,
    "/", " /", "a/ ", " \n", " \x7f", "\u200b\x85", "",
)  # fmt: skip
LABELS: Final = (
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0d28\u0d4d\u200d\u0d2f", "\u2764\ufe0f", "sale \u2764\ufe0f",
    "\u2764\ufe0f\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f469\u200d\u2764\ufe0f\u200d\U0001f468", "a\u200d\u200cb",
    "a\ufe00", "a\ufe0f\ufe0f", "a\u200d\ufe0f", "a\ufe0f\u200d", "a \ufe0f", "a \ufe0fb", "\u200ca", "\u200da",
    "\ufe0fa", "a\u200c", "a\u200d", "\u200c", "\u200d", "\ufe0f", "\ufe0f\ufe0f", "a\u200b\ufe0f",
    "a\u200e\u200db", "a\U000e0100",
    "x" * 63 + "\ufe0f", "x" * 64 + "\ufe0f", "x" * 127 + "\ufe0f", "x" * 128 + "\ufe0f", "a\ufe0f\n", "a\ufe0f ",
)  # fmt: skip
ZEROS: Final = (
    "129.0000", "49.990000", "0.000", "1.230", "1.2300", "1.2301", "1.201", "1.010", "1.0010", "129.", "129.0.0",
    "1.00x",
    "9999999999.9900", "10000000000.000", "1." + "0" * 5000, "1." + "0" * 5000 + "1", "1.0 ", "1.000\n", ".000",
)  # fmt: skip
MEDIA_TYPES: Final = (
    "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=utf-8",
    "application/json \t; a=b", "application/json;", "application/vnd.shop.order+json",
    "application/cloudevents+JSON;v=1",
    "text/json", "application/a+json+json", "application/+json", "application/json+xml", "application/jsonl",
    "application/x-json", "application/json ", " application/json", "application/json\n", "application /json", "json",
    "/json", "+json", "application/json,text/plain", "application/\u017fjson", "application/j\u017fon", "text/plain",
    "application/json; a=\u00e9", "application/json; a=\x00", "application/xml", "application/avro", "",
)  # fmt: skip
LONE: Final = (
    "\\ud83d", "\\ude00", "\\uD83D", "\\ud83d\\ud83d\\ude00", "\\ude00\\ud83d", "\\ud83d\\u0041", "\\ud83d\\n",
    "\\udbff!",
    "\\ud83d\\\\ude00", "\\\\ud83d", "\\\\\\ud83d", "\\ud83d\\ude00", "\\ud83", "\\ud83d\\ude0", "\\ud83d\\",
)  # fmt: skip
"""Escapes as a JSON text spells them: lone surrogates, and what looks like one."""
STARTS: Final = (
    b"\x00", b"\x00\x00\x00\x00\x01", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"PAR1", b"Obj\x01", b"\xc3\x01", b"<?xml", b"---\n",
)  # fmt: skip
