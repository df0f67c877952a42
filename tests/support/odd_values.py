"""What a field may be found to hold: at, near and beyond every bound that validation draws (R3)."""

from typing import Final

DATES: Final = (
    "2024-02-29", "2023-02-29", "1969-12-31", "1970-01-01", "2100-12-31", "2101-01-01", "0000-01-01", "9999-12-31",
    "1970-01-01T00:00:00+00:01", "1970-01-01T13:59:59+14:00", "2100-12-31T23:59:59.999999999Z",
    "2100-12-31T23:59:59-00:01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2024-06-01T24:00:00Z",
    "2024-06-01T23:59:60Z", "2024-06-01T10:00:00", "2024-06-01T10:00Z", "2024-06-01t10:00:00z", "2024-06-01 10:00:00Z",
    "2024-06-01_10:00:00Z", "2024-06-01T10:00:00+14:00", "2024-06-01T10:00:00+24:00", "2024-06-01T10:00:00+99:99",
    "2024-06-01T10:00:00+10:60", "2024-06-01T10:00:00+1400", "2024-06-01T10:00:00-00:00", "2024-06-01T10:00:00.Z",
    "2024-06-01T10:00:00.1234567891Z", "2024-06-01T10:00:00,5Z", "2024-06-01\n", " 2024-06-01", "20240601",
    "2024-W22-6", "2024-153", "\u0662024-06-01", "2024-06-01Z", "+2024-06-01", "2024-6-1", "2024-13-01", "2024-06-31",
)  # fmt: skip
TEXTS: Final = (
    "", "a", "x" * 128, "x" * 129, "x" * 512, "x" * 513, "é" * 128, "😀" * 128, "😀" * 129, "a/b", "/", "a b", " ",
    "..", "a\x00", "a\n", "\n", "\x7f", "a\x85", "a\x9f", "\u2028", "\ufeff", "\uffff", "e\u0301", "[[[{{{",
    "ada", "bob", "0", "-0", "0.0", "00.10", ".5", "5.", "1,5", "1e3", "9999999999.99", "10000000000", "1.999",
    "1.0\n", "\u0661", "NaN", "Infinity", "+1", "-1", " 1", "1_0", "USD", "EUR", "usd", "USDX", "USD\n", "cancelled",
    "Cancelled", "urgent", "email_open", "1.0", "application/json", "text/plain", "order.recorded", "refund.recorded",
    "customer.erased", "a ", "\xa0a", "a\u3000", "a\u2003b", ".", "...", ".a", "a\xadb", "a\u200b", "a\u200db", "❤",
    "❤\ufe0f", "👩\u200d💻", "\u202edda", "a\u2028b", "\u3164", "\U000e0041", "a\U000e0fff", "a\U000e1000", "é",
    "O'Hara", 'a"b', "a\\b", "129.0000", "49.990000", "1.230", "1.2301", "129.", "9999999999.990", "10000000000.0",
    "0" * 500 + "1", "application/json; charset=utf-8", "Application/JSON", "application/vnd.shop+json",
    "text/json;v=1", "application/+json", "application/json ", "application/json\t;a", "/json", "json",
    "application/xml+json+xml", "application/\u212ason", "application/json;\n", "application/json;é",
)  # fmt: skip
"""Among them are ids that are odd and valid: in NFC and NFD, with emoji, quotes, a backslash, white space inside."""
OLDER_IDS: Final = (
    "ada ", " ada", " ", ".", "..", "\xa0", "a\u3000", "a\u200b", "\u200b", "a\u200cb", "a\u200db", "\u202edda",
    "a\u2028b", "a\xadb", "\ufeffada", "❤\ufe0f", "\u3164", "a\U000e0041", " " * 128, "." + " " * 127,
)  # fmt: skip
"""Ids of customers that validation 2 accepted and that only an erasure may still name (R24)."""
TOKENS: Final = (
    "null", "true", "false", "0", "-0", "1", "10.5", "1e400", "-1e-400", "9" * 5000, "01", "1.", ".5", "-", "NaN",
    "Infinity", "-Infinity", "[]", "{}", "[1,]", "{,}", '{"a":1,"a":2}', "nul", "'x'", '"', '"\\ud800"', '"\\udc00x"',
    '"\\ud83d\\ude00"', '"\\u0000"', '"\\u00e9"', '"\\x41"', '"\\/"', '"a\tb"', '"\x7f"', "[" * 60 + "]" * 60,
    "[" * 99 + "]" * 99, "[" * 100 + "]" * 100, "[" * 101 + "]" * 101, '"' + "[" * 200 + '"',
    "[[]," * 50 + "0" + "]" * 50, "[" + "{}," * 150 + "0]", "\u00a0", "\ufeff1", "1 2", '"a" "b"', "/* */ 1",
    '"a\\ud83d"', '"\\uDE00\\ud83d"', '"\\ud83d\\ud83d\\ude00"', '"\\ud83d\\u0041"', '"\\ud83d\\n"', '"\\\\ud83d"',
    '"\\\\\\ud83d"', '"\\ud83d', '"\\ud83', '["\\ud83d"]', '{"\\ud83d": "\\ude00"}', '{"\\ud83d": {}, "a": 1e400}',
)  # fmt: skip
FIELDS: Final = (
    "specversion", "id", "source", "type", "subject", "time", "data", "datacontenttype", "order_id", "customer_id",
    "order_date", "total_amount", "status", "updated_at", "currency", "refund_id", "refunded_at", "amount", "ticket_id",
    "created_date", "resolved_date", "category", "priority", "event_id", "event_type", "event_date", "campaign_id",
    "extension", "", "kind", "Data", "t\\u0079pe", "retracted", "x\\ud83d", "\\ude00time",
)  # fmt: skip
