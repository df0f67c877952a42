"""R24: an import that would bring erased customers back warns, or leaves their rows out."""

from collections.abc import Sequence
from pathlib import Path

from common.settings import Settings
from infra.ingest.importer import Options, run
from infra.ingest.mapping import mapping_of
from infra.ingest.report import lines
from infra.ingest.summary import Summary

CUSTOMERS = 450
ERASED = ("c7", "c399", "c449")


def imported(path: Path, *, skip_erased: bool = False) -> tuple[Summary, list[str]]:
    """What a dry run says of 900 rows, two of each customer, and the customers that it asked about."""
    rows = [f"o{n},c{n % CUSTOMERS},2024-01-01,1.00,completed,2024-01-01\n" for n in range(2 * CUSTOMERS)]
    path.write_text("order_id,customer_id,order_date,total_amount,status,updated_at\n" + "".join(rows))
    asked: list[str] = []

    def lookup(customers: Sequence[str]) -> list[str]:
        asked.extend(customers)
        return [each for each in customers if each in ERASED]

    options = Options(dry_run=True, skip_erased=skip_erased)
    return run(Settings(), path, mapping_of("order"), options, clock=lambda: 0, erased=lookup), asked


def test_r24_erased_customers_are_counted_and_named_with_their_first_rows(tmp_path: Path) -> None:
    summary, asked = imported(tmp_path / "orders.csv")

    assert summary.as_json()["erased"] == {
        "customers": 3,
        "example": [
            {"row": 8, "customer_id": "c7"},
            {"row": 400, "customer_id": "c399"},
            {"row": 450, "customer_id": "c449"},
        ],
        "left_out": 0,
    }
    assert sorted(asked) == sorted(f"c{n}" for n in range(CUSTOMERS)), "each customer is asked about once"
    [warning] = [line for line in lines(summary) if "WARNING" in line]
    assert "3 customers of this file were erased: 'c7' (row 8), 'c399' (row 400), 'c449' (row 450)" in warning
    assert "--skip-erased" in warning
    assert summary.sent == 900


def test_r24_their_rows_are_left_out_if_that_is_asked_for(tmp_path: Path) -> None:
    summary, _ = imported(tmp_path / "orders.csv", skip_erased=True)

    assert (summary.sent, summary.left_out, summary.rejected) == (894, 6, 0)
    assert not [line for line in lines(summary) if "WARNING" in line]
    assert [line for line in lines(summary) if "6 rows left out" in line]


def test_a_file_without_erased_customers_has_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "order_id,customer_id,order_date,total_amount,status,updated_at\no1,c1,2024-01-01,1,completed,2024-01-01\n"
    )

    summary = run(Settings(), path, mapping_of("order"), Options(dry_run=True), clock=lambda: 0)

    assert summary.erased == {}
    assert not [line for line in lines(summary) if "erased" in line]
