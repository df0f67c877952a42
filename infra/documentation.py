"""Writes the generated pages of `docs/`, and Feast's list of features (`make docs`). A test compares them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo

from common.algebra.features import FEATURES
from common.algebra.measures import MEASURES, Measure
from common.algebra.metrics import METRICS
from common.settings import GROUPS, HOME_FILE, PREFIX, Settings

DOCS: Final = Path(__file__).parent.parent / "docs"
FEAST: Final = Path(__file__).parent / "deploy" / "feast"
"""The feature repository; it runs in an environment of its own, which has none of our packages."""


def pages() -> Mapping[Path, str]:
    """Returns the text of every generated page by its path, and of the list of features that Feast reads."""
    return {
        DOCS / "metrics.md": metrics_page(),
        DOCS / "settings.md": settings_page(),
        FEAST / "features.json": features_list(),
    }


def features_list() -> str:
    """Returns the features as JSON, one on each line, as the feature repository declares and pushes them."""
    return "[\n" + ",\n".join(f"  {json.dumps(asdict(each))}" for each in FEATURES) + "\n]\n"


def metrics_page() -> str:
    """Returns the page of metrics and measures, from their two tables."""
    features = {each.source: f"`{each.name}`" for each in FEATURES if each.of == "metrics"}
    metrics = (
        (
            f"`{each.name}`",
            each.unit,
            each.definition,
            each.rule,
            "yes" if each.ranked else "",
            features.get(each.name, ""),
        )
        for each in METRICS
    )
    measures = ((f"`{each.name}`", each.unit, each.kind, each.day, _counted(each)) for each in MEASURES)
    return _page(
        "Metrics",
        "`make docs` writes this page from `METRICS` in `common/algebra/metrics.py` and `MEASURES` in "
        "`common/algebra/measures.py`.",
        "An answer is of a day, `as_of`: days after it are dropped. A window holds both its ends: a day is in the "
        "30-day window when `0 <= as_of - day <= 30`. Rounding is half-even, once, at the end: money to cents, hours "
        "to 2 decimals, rates to 4. Money, hours and rates are decimal strings in JSON, dates ISO text; what has no "
        "value is null. By a metric that is ranked, each batch ranks its customers "
        "(`lambda360 batch rankings`). A metric that is a feature is served to models, too: [Features](features.md).",
        _table(("metric", "unit", "definition", "formula", "ranked", "feature"), metrics),
        "## Measures\n\nA customer's state holds these integers by UTC day, summed over the customer's current facts.",
        _table(("measure", "unit", "of each", "on the day of", "adds"), measures),
    )


def settings_page() -> str:
    """Returns the page of settings, each with its default and meaning, from the settings' types."""
    parts = []
    for group in GROUPS:
        kind = type(getattr(Settings(), group))
        rows = (_setting(group, name, field) for name, field in kind.model_fields.items())
        parts.append(f"## {group}\n\n{kind.__doc__}\n\n{_table(('variable', 'default', 'meaning'), rows)}")
    return _page(
        "Settings",
        "`make docs` writes this page from `common/settings.py`.",
        f"A setting is an environment variable, or a line `NAME=value` in `{HOME_FILE}` in the home folder; the "
        f"environment wins. An unknown `{PREFIX}` name is an error. `{PREFIX}HOME` (default `var`) is the home: data, "
        "logs, pids and ports of the local system.",
        *parts,
    )


def _setting(group: str, name: str, field: FieldInfo) -> tuple[str, str, str]:
    shown = "" if field.default is None else str(field.default)
    default = f"`{shown}`" if shown else "none"
    return f"`{PREFIX}{group.upper()}_{name.upper()}`", default, field.description or ""


def _counted(measure: Measure) -> str:
    added = "1" if measure.value is None else f"`{measure.value}`"
    where = measure.where
    if where is None:
        return added
    return f"{added} if {where.field} is {'not ' if where.negated else ''}{' or '.join(where.values)}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", *parts)) + "\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
