"""The pages that the code writes are the ones in `docs/`."""

from pathlib import Path

import pytest

from common.algebra.measures import MEASURES
from common.algebra.metrics import METRICS
from common.settings import GROUPS, PREFIX, Settings
from infra.documentation import pages


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
