"""`lambda360 get` and `explain`: the running API's answers as people read them, and its errors."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.algebra.facts import Image, Origin
from common.settings import ServingSettings
from infra.cli import run
from infra.commands.asking import default_url
from tests.support.deltas import changed
from tests.support.http_api import answering
from tests.support.serving_fakes import NOW, MemoryViewStore, order, pointing_at, published


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The API over a customer `ada` of a batch and a correction."""
    store = MemoryViewStore(pointing_at(published(batch_id=3, cut=5)))
    store.put_order("ada", 1000, batch_id=3)
    before, after = Image(1, order(1000)), Image(2, order(1250))
    store.put_delta("ada", 6, changed("o1", before, after, NOW, Origin("file:///data/orders.csv", 7)))
    with answering(store, NOW) as base:
        yield base


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    """Each line by its first word, its cells one blank apart."""
    assert run(list(arguments)) == 0, capsys.readouterr().err
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    return {words[0]: " ".join(words[1:]) for words in lines}


def test_get_shows_the_metrics_and_how_exact_they_are(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "get", "ada", "--url", url)

    assert found["status"].startswith("exact, complete below offset 100 of partition")
    assert (found["batch"], found["deltas"]) == ("3, published at 2024-06-30T11:00:00Z", "1")
    assert (found["total_revenue"], found["at_risk"], found["click_through_rate"]) == ("12.50", "no", "-")
    assert found["customer"] == "ada"


def test_get_of_a_day_leaves_later_days_out(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "get", "ada", "--as-of", "2024-06-25", "--url", url)["total_revenue"] == "0.00"


def test_explain_shows_each_change_the_sums_and_the_formulas(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "ada", "--url", url]) == 0
    out = " ".join(capsys.readouterr().out.split())

    assert "order o1 changed amount 10.00 -> 12.50 revenue +2.50 on 2024-06-26 /data/orders.csv, row 7" in out
    assert "revenue 10.00 2.50 12.50 money" in out
    assert "total_revenue 12.50 10.00 sum of revenue" in out


@pytest.mark.parametrize("command", ["get", "explain"])
def test_json_is_the_apis_own_answer(command: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "ada", "--json", "--url", url]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["customer_id"], found["metrics"]["total_revenue"]) == ("ada", "12.50")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nobody",), 1, "no current fact of customer 'nobody' is known"),
        (("a/b",), 2, "CUSTOMER: 'a/b'"),
        (("...",), 1, "no current fact of customer '...' is known"),
        (("ada", "--as-of", "2024-07-01"), 2, "--as-of: '2024-07-01': not later than the server's day"),
    ],
)
def test_the_apis_errors_are_the_commands(
    arguments: tuple[str, ...], code: int, message: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["get", *arguments, "--url", url]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("http://127.0.0.1:1", 1, "the API at http://127.0.0.1:1 does not answer; `lambda360 serve` runs it"),
        ("127.0.0.1:1", 2, "--url: '127.0.0.1:1': http://HOST:PORT"),
    ],
)
def test_an_api_that_is_away_is_one_line(url: str, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "ada", "--url", url]) == code
    assert message in capsys.readouterr().err


def test_the_key_is_read_from_a_file(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong key is refused also where none is needed: so it was sent."""
    key = tmp_path / "key"
    key.write_text("secret\n", encoding="utf-8")
    assert run(["get", "ada", "--url", url, "--key-file", str(key)]) == 1
    told = "".join(capsys.readouterr())
    assert "this API key is not known" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 # nothing is bound here
        ("::", "[::1]"),
        ("fd00::1", "[fd00::1]"),
        ("api", "api"),
    ],
)
def test_the_settings_name_the_api_that_is_asked(host: str, expected: str) -> None:
    assert default_url(ServingSettings(host=host, port=8360)) == f"http://{expected}:8360"
