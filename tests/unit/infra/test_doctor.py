"""`lambda360 doctor`: a line for each finding, and what to do below what is not well."""

import pytest

from infra import cli
from infra.commands.doctor import rows_of
from infra.local import doctor
from infra.local.findings import Finding

WELL = Finding("Python", well=True, detail="3.11.7")
ABSENT = Finding("Java 17", well=False, detail="not found", remedy="install it")
UNNEEDED = Finding("Maven", well=False, detail="not found", remedy="install it", needed=False)


def test_a_finding_is_a_row_and_what_to_do_about_it_another() -> None:
    rows = [[str(cell) for cell in row] for finding in (WELL, ABSENT, UNNEEDED) for row in rows_of(finding)]

    assert rows == [
        ["ok", "Python", "3.11.7"],
        ["--", "Java 17", "not found"],
        ["", "", "to do: install it"],
        ["--", "Maven", "not found"],
        ["", "", "to do (if you want it): install it"],
    ]


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [
        ([WELL, ABSENT, UNNEEDED], 1, "1 needed things are missing"),
        ([WELL, UNNEEDED], 0, "everything that is needed is there"),
    ],
)
def test_only_what_is_needed_and_not_well_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    findings: list[Finding],
    code: int,
    last: str,
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda settings: iter(findings))

    assert cli.run(["doctor"]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last
