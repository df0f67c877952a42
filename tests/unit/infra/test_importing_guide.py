"""The recipes of docs/importing.md do what they say, on files with the columns of such exports."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from infra import cli

GUIDE: Final = Path(__file__).parents[3] / "docs" / "importing.md"
RECIPES: Final = re.findall(
    r"```\n(lambda360 import .*?)```", GUIDE.read_text(encoding="utf-8").partition("## Recipes")[2], re.DOTALL
)
FILES: Final = {
    "orders_export.csv": (
        "Name,Email,Financial Status,Currency,Total,Created at,Lineitem name,Notes\n"
        '#1,ada@example.net,paid,USD,48.60,2026-03-02 21:13:40 -0500,"Lamp 24""","Leave at the door,\nring"\n'
        "#1,ada@example.net,,,,2026-03-02 21:13:40 -0500,Bulb,\n"
        "#2,ada@example.net,voided,USD,9.00,2026-03-03 21:13:40 -0500,Tee,\n"
    ),
    "sales_order.csv": (
        "entity_id,status,customer_id,customer_email,increment_id,base_grand_total,base_currency_code,created_at,"
        "updated_at\n"
        "1,complete,,ada@example.net,000000101,129.0000,USD,2026-03-01 10:00:00,2026-03-05 10:00:00\n"
        "2,holded,7,bob@example.net,000000102,5.5000,USD,2026-03-01 10:00:00,2026-03-05 10:00:00\n"
    ),
    "export.csv": (
        '"ID","Purchase Point","Purchase Date","Bill-to Name","Ship-to Name","Grand Total (Base)","Status"\n'
        '"000000101","Main Website","Mar 1, 2026 9:30:00 PM","Ada L","Ada L","129.0000","Complete"\n'
    ),
    "tickets.jsonl": "".join(
        json.dumps(ticket) + "\n"
        for ticket in (
            {"id": 1, "requester_id": 9, "created_at": "2026-03-10T08:00:00Z", "updated_at": "2026-03-10T08:00:00Z",
             "solved_at": None, "type": None, "priority": None, "status": "open", "subject": "caf\u00e9"},
            {"id": 2, "requester_id": 9, "created_at": "2026-03-11T08:00:00Z", "updated_at": "2026-03-12T08:00:00Z",
             "solved_at": None, "type": "question", "priority": "high", "status": "deleted", "subject": "spam"},
        )
    ),
    "charges.jsonl": '{"id":"ch_1","amount":20.00,"currency":"usd","customer":"cus_1","created":1772357400}\n',
}  # fmt: skip
COUNTS: Final = {"orders_export.csv": (3, 2), "sales_order.csv": (2, 2), "tickets.jsonl": (2, 2)}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.split()[3])
def test_a_recipe_takes_its_export_in(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _, *arguments = shlex.split(recipe.replace("\\\n", " "))
    name = arguments[2]
    Path(name).write_text(FILES[name], encoding="utf-8")

    cli.run([*arguments, "--dry-run", "--json"])

    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (summary["read"], summary["valid"]) == COUNTS.get(name, (1, 1))
    assert {rule["rule"] for rule in summary["broken_rules"]} <= {"required, and missing"}


def test_every_recipe_is_run() -> None:
    assert {recipe.split()[3] for recipe in RECIPES} == set(FILES)
