"""docs/serving.md and the notebook: what they say is run against the API over a store in memory."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator

from common.algebra.facts import Fact, Image
from common.algebra.metrics import RANKED
from serving_layer.answer import facts
from serving_layer.answer.explained import MOST_DELTAS
from serving_layer.answer.steps import MOST_STEPS
from serving_layer.read.kafka_topics import MOST_ORIGINS
from tests.support.http_api import answering
from tests.support.serving_fakes import NOW, MemoryViewStore, Shared, delta, order, pointing_at, progress, published

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "serving.md").read_text(encoding="utf-8")


def filled() -> MemoryViewStore:
    """Two customers of a batch, the first with a delta and with more orders than one page holds."""
    store = MemoryViewStore(pointing_at(msgspec.structs.replace(published(batch_id=41, cut=5), rows=2)))
    for customer, cents in (("00001", 123_456), ("00002", 5_000)):
        store.put_order(customer, cents, 41)
    for metric in RANKED:
        store.rank(metric.name, {"00001": "1234.56", "00002": "50.00"} if metric.unit == "money" else {"00001": 1})
    store.put_delta("00001", 6, delta(order(100), entity_id="o2"))
    store.manifests = [
        '{"batch_id":41,"status":"published","plan":{"cut":{"offsets":{"0":5}}},"started_at":1,"finished_at":2}'
    ]
    for number in range(501):
        store.put_fact("00001", f"o{number:03}", Fact(number, None, Image(1, order())))
    return store


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with answering(filled(), NOW) as base:
        yield base


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_example_of_the_table_of_routes_is_answered_and_no_route_is_missing() -> None:
    """The rollback is refused: an application without keys has no admin."""
    api = Shared.over(filled())
    section = PAGE.partition("## Routes")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    for row in rows:
        command = re.search(r"`curl '?(?:localhost:8360)([^ '`]+)'?(.*?)`", row[2])
        assert command is not None, row
        path, rest = command[1], command[2]
        body = re.search(r"-d '(.*)'", rest)
        response = api.request(
            "POST" if body else "GET", path.replace("2026-", "2024-"), content=body and body[1].encode()
        )
        assert response.status_code == (403 if "rollback" in path else 200), (path, response.text)

    documented = set(re.findall(r"/v1[^` ]*", " ".join(row[0] for row in rows)))
    streams = {path for path in routes() if path.endswith("/deltas")}
    assert documented == routes() - streams


def routes() -> set[str]:
    paths = Shared.over(MemoryViewStore()).get("/openapi.json").json()["paths"]
    return {
        path.replace("{customer_id}", "{id}").replace("{batch_id}", "{id}") for path in paths if path.startswith("/v1")
    }


def test_the_page_names_the_limits_that_the_code_has() -> None:
    assert f"{MOST_STEPS:,} steps" in PAGE
    assert f"newest {MOST_DELTAS:,} changes" in PAGE
    assert f"at most {facts.SORTED:,} facts" in PAGE.replace("\n", " ")
    assert f"for {MOST_ORIGINS}" in PAGE.replace("\n", " ")


def test_the_example_by_httpx_reads_every_page_and_takes_exact_answers_only(url: str) -> None:
    (example,) = blocks("python")
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 # our own page

    found = names["orders"](url, "00001")

    assert len({each["entity_id"] for each in found}) == len(found) == 501

    late = filled()
    late.progress_rows = dict.fromkeys(range(4), progress(beat_at=None))
    with answering(late, NOW) as base, pytest.raises(RuntimeError, match="has never sent a heartbeat"):
        names["orders"](base, "00001")


def test_the_notebook_runs_from_the_api_to_a_dataframe(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each code cell as it stands, but for the installation, in the order of the notebook."""
    monkeypatch.setenv("LAMBDA360_URL", url)
    notebook = json.loads((DOCS / "notebooks" / "customers.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells[0].startswith("%pip install")
    names: dict[str, Any] = {}

    for cell in cells[1:]:
        exec(cell, names)  # noqa: S102 # our own notebook

    names["api"].close()
    customers = names["customers"]
    assert list(customers.index) == ["00001", "00002"]
    assert list(customers["total_revenue"]) == [1235.56, 50.0]
    assert customers["last_order_date"].dt.date.astype(str).tolist() == ["2024-06-26", "2024-06-26"]
    assert names["sums"].loc["revenue", "sum"] == "1235.56"
    assert all(cell["outputs"] == [] for cell in notebook["cells"] if cell["cell_type"] == "code")


def test_every_answer_of_v1_has_an_example_that_its_schema_takes() -> None:
    """Exact and degraded ones, and problems; the examples are made by the code that answers."""
    document = Shared.over(MemoryViewStore()).get("/openapi.json").json()
    checked = 0
    for path, methods in document["paths"].items():
        if not path.startswith("/v1") or path.endswith("/deltas"):
            continue
        for operation in methods.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    schema = {**content["schema"], "components": document["components"]}
                    for example in content.get("examples", {}).values():
                        Draft202012Validator(schema).validate(example["value"])
                        checked += 1
            assert operation["responses"]["200"]["content"]["application/json"]["examples"], path
    assert checked > 30
    shown = document["paths"]["/v1/customers/{customer_id}/metrics"]["get"]["responses"]
    assert set(shown["200"]["content"]["application/json"]["examples"]) == {"exact", "degraded"}
    assert shown["404"]["content"]["application/problem+json"]["examples"]


@pytest.mark.parametrize(
    "path",
    [
        "customers/00001/metrics", "customers/00001/metrics?batch=41", "customers/00001/explain",
        "customers/00001/history", "customers/00001/facts", "customers/00001/alerts", "customers", "batches", "status",
        "metrics",
    ],
)  # fmt: skip
def test_every_answer_is_what_its_schema_promises(path: str, url: str) -> None:
    """As the OpenAPI document has it, over HTTP."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        document = client.get("/openapi.json").json()
        answer = client.get(f"/v1/{path}").raise_for_status().json()
    declared = "/v1/" + path.partition("?")[0].replace("00001", "{customer_id}").replace("00002", "{customer_id}")
    schema = document["paths"][declared]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer)
