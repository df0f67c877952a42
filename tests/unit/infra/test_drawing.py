"""How commands draw tables: complete and plain into a pipe, fitted to a terminal."""

from collections.abc import Iterator

import pytest
from rich.text import Text

from infra.drawing import Column, draw, drawn

COLUMNS = (Column("id", right=True), Column("state"), Column("why"))
LONG = "x" * 500


def test_columns_are_as_wide_as_their_widest_cell_and_aligned_as_they_say() -> None:
    lines = list(drawn(COLUMNS, [("7", "open", "no data"), ("1234", "discarded", "-")]))

    assert lines == [
        "  id  state      why",
        "   7  open       no data",
        "1234  discarded  -",
    ]


def test_into_a_pipe_each_row_is_one_whole_line_without_styles(capsys: pytest.CaptureFixture[str]) -> None:
    draw(COLUMNS, [("1", Text("open", style="red"), LONG), ("2", "[bold]kept[/bold]", "two\nlines")])

    assert [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["1", "open", LONG],
        ["2", "[bold]kept[/bold]", "two lines"],
    ]


def test_colour_that_the_environment_forces_does_not_reach_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    draw(COLUMNS, [("1", Text("open", style="red"), "-")])

    assert "\x1b" not in capsys.readouterr().out


def test_on_a_terminal_long_cells_are_folded_and_nothing_of_them_is_lost() -> None:
    lines = list(drawn(COLUMNS, [("1", "open", LONG)], width=80))

    assert max(len(_bare(line)) for line in lines) <= 80
    assert sum(line.count("x") for line in lines) == len(LONG)


def test_on_a_terminal_styles_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    lines = list(drawn(COLUMNS, [("1", Text("open", style="red"), "[bold]")], width=80))

    assert "\x1b[31mopen" in lines[1]
    assert "[bold]" in lines[1]


def test_without_headings_there_is_no_head_and_without_rows_no_table() -> None:
    assert list(drawn((Column(), Column()), [("a", "b")])) == ["a  b"]
    assert list(drawn(COLUMNS, [])) == []


@pytest.mark.parametrize("width", [None, 80])
def test_a_page_is_drawn_as_soon_as_its_rows_are_there_and_columns_never_shrink(width: int | None) -> None:
    asked = []

    def rows() -> Iterator[tuple[str, str]]:
        for number, state in enumerate(("discarded", "open", "open")):
            asked.append(number)
            yield state, "why"

    lines = drawn((Column("state"), Column("why")), rows(), width=width, page=2)

    assert [_bare(next(lines)).rstrip() for _ in range(3)] == ["state      why", "discarded  why", "open       why"]
    assert asked == [0, 1]
    assert [_bare(line).rstrip() for line in lines] == ["open       why"]


def test_wide_characters_take_two_places() -> None:
    assert list(drawn((Column(), Column()), [("客户", "b"), ("abcd", "b")])) == ["客户  b", "abcd  b"]


def _bare(line: str) -> str:
    return Text.from_ansi(line).plain
