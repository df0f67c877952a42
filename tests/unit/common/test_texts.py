"""R3: the rules of texts, over all of Unicode; as patterns they are portable and fast."""

import itertools
import json
import re
import shutil
import subprocess
import time
import unicodedata
from collections.abc import Callable
from typing import Final, get_args

import pytest

from common.log import texts
from common.log.schema import record_schema
from common.log.wire import BY_KIND
from infra.proof.oracle_values import (
    UNSEEN,
    Invalid,
    category,
    customer,
    erasable,
    identifier,
    json_media_type,
    segment,
)
from tests.support.odd_values import TEXTS


def pattern_of(annotated: object) -> str:
    return str(get_args(annotated)[1].pattern)


STRICT: Final = {pattern_of(texts.CustomerIdText): customer, pattern_of(texts.IdText): identifier}
LABELS: Final = {pattern_of(texts.CategoryText): category, pattern_of(texts.SegmentText): segment}  # one pattern
NAMED: Final = STRICT | LABELS | {pattern_of(texts.ErasableIdText): erasable}
"""The patterns of ids and labels, each with the oracle's reading of it."""
GLUE: Final = ("\u200c", "\u200d", "\ufe00", "\ufe0f")
"""What joins letters and selects how a character is drawn."""
PATTERNS: Final = (*NAMED, pattern_of(texts.AmountText), pattern_of(texts.JsonMediaType))
ODD: Final = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn") or not code % 97
    if not 0xD800 <= code < 0xE000
]


def accepts(rule: Callable[[str], object], text: str) -> bool:
    try:
        rule(text)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("pattern", NAMED)
def test_a_pattern_and_the_oracle_know_the_same_characters(pattern: str) -> None:
    """Every character that is hardly seen, and many others, at either end of an id and inside."""
    matches, rule = re.compile(pattern).search, NAMED[pattern]
    for text in (text for c in {*ODD, *UNSEEN} for text in (c, f"{c}a", f"a{c}b", f"a{c}")):
        assert bool(matches(text)) == accepts(rule, text), ascii(text)


@pytest.mark.parametrize("pattern", NAMED)
def test_a_pattern_and_the_oracle_agree_on_every_short_text_of_what_the_rules_name(pattern: str) -> None:
    """Glue beside glue, beside white space and at the ends, in every order."""
    matches, rule = re.compile(pattern).search, NAMED[pattern]
    for length in range(1, 6):
        for text in map("".join, itertools.product(("a", " ", "\u200b", "\u200d", "\ufe0f", "."), repeat=length)):
            assert bool(matches(text)) == accepts(rule, text), ascii(text)


@pytest.mark.parametrize(
    "text", ["a b", "a\u3000b", "zo\u00eb", "zoe\u0308", "\u2764", "\U0001f600", "O'Hara", 'a"b', "a\\b", "...", ".a"]
)
def test_an_odd_id_is_valid_wherever_an_id_stands(text: str) -> None:
    assert all(re.search(pattern, text) for pattern in NAMED)


def test_every_format_character_that_changes_how_a_text_looks_is_refused() -> None:
    """Zero width and direction, and in ids joiners and selectors: no two may look alike because of them."""
    refused = [
        "\u200b",
        "\u200e",
        "\u202a",
        "\u202e",
        "\u2060",
        "\u2066",
        "\ufeff",
        "\xad",
        "\U000e0041",
    ]
    for pattern in STRICT | LABELS:
        assert [text for text in refused if re.search(pattern, f"a{text}b")] == []
    for pattern in STRICT:
        assert [text for text in GLUE if re.search(pattern, f"a{text}b")] == []


@pytest.mark.parametrize("pattern", LABELS)
@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a zero width non-joiner
        "\u0d35\u0d28\u0d4d\u200d\u0d2f",  # Malayalam, with a zero width joiner
        "\u2764\ufe0f",
        "sale \u2764\ufe0f",
        "\u2764\ufe0f\u2764\ufe0f",
        "1\ufe0f\u20e3",
        "\U0001f469\u200d\U0001f4bb",
        "\U0001f469\u200d\u2764\ufe0f\u200d\U0001f468",
    ],
)
def test_a_label_is_a_word_of_any_script_or_an_emoji(pattern: str, text: str) -> None:
    assert re.search(pattern, text)
    assert [each for each in STRICT if re.search(each, text)] == []


@pytest.mark.parametrize("pattern", LABELS)
def test_a_label_has_no_joiner_at_its_ends_and_one_selector_at_most_behind_its_last_character(pattern: str) -> None:
    for text in ("\u200ca", "\u200da", "\ufe0fa", "a\u200c", "a\u200d", "a\ufe0f\ufe0f", "a\u200d\ufe0f", "a \ufe0f"):
        assert re.search(pattern, text) is None, ascii(text)
    for text in GLUE:
        assert re.search(pattern, text) is None, ascii(text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_takes_time_in_proportion_to_the_text(pattern: str) -> None:
    """The length is checked first by validation, but not by everybody who takes the pattern from the schema."""
    search = re.compile(pattern).search
    for one in (
        " ",
        "a",
        "a ",
        "+",
        "a+",
        "+json",
        "0",
        "1.0",
        ".",
        ";",
        "\t",
        "\u200b",
        "\u200d",
        "\ufe0f",
        "a\ufe0f",
    ):
        for start, end in (("", ""), ("a", "\n"), ("a/", "!"), ("1.", "x"), ("a/json", "\x00")):
            for size in (128, 10**6):
                text = start + one * (size // len(one)) + end
                began = time.process_time()
                search(text)
                assert time.process_time() - began < 0.5, (one, start, end)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_has_nothing_that_only_python_knows(pattern: str) -> None:
    assert not re.search(r"\(\?[^:!=]|\\[UNAZzGhQE]|[*+?}]\+\S|\\p|\[\[", re.sub(r"\[[^\]]*\]", "", pattern)), pattern
    assert "\\U" not in pattern


@pytest.mark.skipif(shutil.which("node") is None, reason="no ECMAScript engine is installed")
def test_ecmascript_matches_what_python_matches() -> None:
    samples = [text for c in {*ODD[::7], *UNSEEN} for text in (f"{c}a", f"a{c}b", f"a{c}")] + list(TEXTS)
    program = (
        "const [patterns, texts] = JSON.parse(require('fs').readFileSync(0));"
        "const matches = (pattern) => { const r = new RegExp(pattern, 'u'); return texts.map((text) => r.test(text)) };"
        "console.log(JSON.stringify(patterns.map(matches)));"
    )

    asked = json.dumps([PATTERNS, samples])
    done = subprocess.run(["node", "-e", program], input=asked, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == [[bool(re.search(pattern, text)) for text in samples] for pattern in PATTERNS]


def test_the_rule_of_every_text_is_in_the_schema_that_producers_get() -> None:
    for kind in BY_KIND:
        schema = json.dumps(record_schema(kind), ensure_ascii=False)
        assert (texts.CUSTOMER_ID_RULE in schema) == (kind != "customer")
        assert ("an erasure takes every id that an older release accepted" in schema) == (kind == "customer")
        assert "media type of JSON" in schema


@pytest.mark.parametrize("text", TEXTS)
def test_a_media_type_is_judged_as_the_oracle_judges_it(text: str) -> None:
    try:
        json_media_type(text)
    except Invalid:
        assert not re.search(pattern_of(texts.JsonMediaType), text)
    else:
        assert re.search(pattern_of(texts.JsonMediaType), text)
