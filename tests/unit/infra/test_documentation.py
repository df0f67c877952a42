"""The pages that the code writes are the ones in `docs/`."""

import re
from pathlib import Path

import msgspec
import pytest

from common.algebra.measures import MEASURES
from common.algebra.metrics import METRICS
from common.log.copy_events import DeltaData, decode_delta_event
from common.settings import GROUPS, PREFIX, Settings
from infra.documentation import pages
from infra.paths import ROOT

TOPICS = ROOT / "docs" / "topics.md"


@pytest.mark.parametrize(("path", "text"), pages().items(), ids=lambda value: getattr(value, "name", ""))
def test_a_generated_page_is_up_to_date(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run `make docs`"


def test_the_pages_name_every_metric_measure_and_setting() -> None:
    text = "".join(pages().values())
    names = [entry.name for entry in (*METRICS, *MEASURES)]
    for group in GROUPS:
        fields = type(getattr(Settings(), group)).model_fields
        names += [f"{PREFIX}{group}_{field}".upper() for field in fields]
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_the_page_of_topics_explains_every_field_of_a_delta_and_its_example_is_one() -> None:
    """The example has them all, so that none is left to a default."""
    text = TOPICS.read_text(encoding="utf-8")
    (section,) = re.findall(r"## customer_deltas\n(.*?)\n## ", text, re.DOTALL)
    (example,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    fields = {field.name for field in msgspec.structs.fields(DeltaData)} - {"logic_version"}

    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE))))

    assert fields - told == set()
    read = msgspec.json.encode(decode_delta_event(example.encode()))
    assert msgspec.json.decode(example) == msgspec.json.decode(read)
