"""The pages for people, as they are served: nothing inline, nothing from elsewhere, and data is set as text only."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from infra.paths import ROOT
from tests.support.serving_fakes import Api, MemoryViewStore

PAGE = ROOT / "serving_layer" / "page"
MODULES = sorted((PAGE / "assets").glob("*.js"))
PATHS = ("/", "/dashboard")
PARSED_AS_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|eval\(|new Function|ContextualFragment"
)


class Found(HTMLParser):
    """What an HTML page loads, and what it has inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag in {"script", "img", "iframe"}:
            self.loads.append(named.get("src") or "")
            self.inline += [tag] if "src" not in named else []
        if tag == "link":
            self.loads.append(named.get("href") or "")
        if tag == "style":
            self.inline.append(tag)


@pytest.fixture(scope="module")
def api() -> Api:
    return Api.over(MemoryViewStore())


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_nothing_inline_and_loads_only_what_this_server_has(api: Api, path: str) -> None:
    answer = api.get(path)
    found = Found(answer.text)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert found.inline == []
    loaded = [each for each in found.loads if each != "data:,"]
    assert loaded
    assert [each for each in loaded if api.get(f"/{each}").status_code != 200] == []


@pytest.mark.parametrize("path", [*MODULES, PAGE / "assets" / "page.css"], ids=lambda path: path.name)
def test_an_asset_is_served_with_its_type_and_is_asked_for_again(api: Api, path: Path) -> None:
    answer = api.get(f"/dashboard/assets/{path.name}")

    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    assert answer.text == path.read_text(encoding="utf-8")
    assert answer.headers["content-type"] == types[path.suffix]
    assert (answer.headers["cache-control"], bool(answer.headers["etag"])) == ("no-cache", True)


@pytest.mark.parametrize("name", ["none.js", "..%2findex.html", "../../app.py", ""])
def test_what_is_no_asset_is_a_404_as_any_other(api: Api, name: str) -> None:
    answer = api.get(f"/dashboard/assets/{name}")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:lambda360:problem:not-found"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_module_parses_data_as_markup_or_grows_beyond_what_one_reads(module: Path) -> None:
    text = module.read_text(encoding="utf-8")

    assert PARSED_AS_MARKUP.findall(text) == []
    assert "style" not in re.findall(r"setAttribute\(\"(\w+)", text)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert len(text.splitlines()) <= 150
    assert text.startswith("// "), "a module begins with a sentence that says what it is"
