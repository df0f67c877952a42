"""`lambda360 doctor`: a line for each finding, and what to do below what is not well."""

import pytest

from common.settings import BatchSettings, Settings
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


def test_a_warehouse_in_an_object_store_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("_installed", "_local_servers", "_reachable"):
        monkeypatch.setattr(doctor, part, lambda *_: ())
    monkeypatch.setattr(doctor, "_api", lambda settings: WELL)
    monkeypatch.setattr(doctor, "jars_of", lambda settings, folder: [])
    batch = BatchSettings(catalog="jdbc", catalog_uri="jdbc:sqlite:there", warehouse="s3://bucket/lake")

    found = list(doctor.examine(Settings(batch=batch)))

    assert [each.subject for each in found] == ["warehouse at s3://bucket/lake", WELL.subject]
    assert not found[0].well
    assert "make setup-s3" in found[0].detail
    assert list(doctor.examine(Settings())) == [WELL], "a warehouse on a disk is where it is"
