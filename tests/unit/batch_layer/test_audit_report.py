"""R18: what stops a run after its audit, in which words, and what the operator may accept."""

from typing import Any, Final

import pytest

from batch_layer.audit.report import stopping, way_on
from batch_layer.decisions import Decisions
from batch_layer.reports import AuditReport, Finding

ADA: Final = Finding("missing delta", 1, ("ada",), "of 'ada', no delta is stored at offset 3 (order 'o1')")
BOTH: Final = Finding("wrong fact", 2, ("ada", "O'Brien; rm"), "of 'ada', …")


def report(**others: Any) -> AuditReport:
    values: dict[str, Any] = {"generation": 1, "rows": 5, "checksum": "x", "is_complete": True, "compared": 5}
    return AuditReport(**{**values, "skipped": 0, "facts": 9, "fact_customers": 4, **others})


def test_a_clean_report_stops_nothing() -> None:
    clean = report()

    assert stopping(clean, Decisions()) == ""
    assert clean.figures == "5 rows read back, 5 customers and 9 facts compared"


def test_drift_stops_until_every_customer_of_every_class_is_accepted() -> None:
    assert "'ada'" in stopping(report(findings=(ADA,)), Decisions())
    assert stopping(report(findings=(ADA,), accepted=("ada",)), Decisions()) == ""
    assert "'O\\'Brien; rm'" in repr(stopping(report(findings=(ADA, BOTH), accepted=("ada",)), Decisions())) or (
        "O'Brien; rm" in stopping(report(findings=(ADA, BOTH), accepted=("ada",)), Decisions())
    )


def test_the_way_on_quotes_names_for_a_shell_and_names_the_batch() -> None:
    text = way_on(report(findings=(ADA, BOTH)), 7)

    assert "`lambda360 batch run --resume 7 --accept-drift ada --accept-drift 'O'\"'\"'Brien; rm' --reason R`" in text
    assert "degraded until `lambda360 speed rebuild`" in text


def test_a_slot_that_is_not_complete_is_never_accepted() -> None:
    lost = Finding("lost slot row", 1, ("ada",), "2 rows were loaded, and 1 read back")
    incomplete = report(is_complete=False, findings=(lost,), accepted=("ada",))

    assert "what was loaded into its slot differ" in stopping(incomplete, Decisions())
    assert "--resume 7` loads the slot again" in way_on(incomplete, 7)
    assert "accept" not in way_on(incomplete, 7)


def test_a_served_slot_that_lost_rows_is_left_by_a_rollback() -> None:
    lost = Finding("lost slot row", 1, ("ada",), "of 'ada', the current slot has no row of the customer")

    assert "`lambda360 batch rollback` goes back" in way_on(report(findings=(lost,)), 7)
    assert "rollback" not in way_on(report(findings=(lost,), accepted=("ada",)), 7)
    assert "rollback" not in way_on(report(findings=(ADA,)), 7)
    assert "rollback" not in way_on(report(is_complete=False, findings=(lost,)), 7)


def test_more_customers_than_can_be_named_stop_the_run_whatever_is_accepted() -> None:
    many = report(findings=(ADA,), accepted=("ada",), unexamined=9_000)

    assert "9000 more customers" in stopping(many, Decisions(accepted_drift=frozenset({"ada"})))
    assert "accepted by name" in way_on(many, 7)


@pytest.mark.parametrize("accepted", [True, False])
def test_what_cannot_be_audited_stops_until_it_is_accepted(accepted: bool) -> None:
    found = report(unaudited=("partition 0: the speed layer never ran",), unaudited_accepted=accepted, compared=0)

    assert (stopping(found, Decisions(accept_unaudited=accepted, reason="r")) == "") is accepted
    assert ("--resume 7 --accept-unaudited --reason R" in way_on(found, 7)) is not accepted
    assert found.figures.endswith(", unaudited")
