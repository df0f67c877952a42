"""Erased customers in this machine's own files: whole lines go, and nothing else does (R24)."""

import gzip
import json
import os
from pathlib import Path

from common.errors import FieldError
from common.log.position import Position
from infra.ingest.rejects import Rejects
from infra.ingest.rows import Row
from infra.operate.erasure.files import clear_scratch, scrub_logs, scrub_rejects
from infra.paths import rejects_list


def test_r24_lines_about_a_customer_go_and_a_log_that_is_open_keeps_its_place(tmp_path: Path) -> None:
    """R24: the id in its spellings, and a rejected record's position, whose line may quote its values."""
    log = tmp_path / "logs" / "serve.log"
    log.parent.mkdir()
    lines = ["path=/v1/customers/a%20b", "path=/v1/customers/c", "event=record_rejected record=2:17 error=-9.99", "x=1"]
    with log.open("a") as writer:
        writer.write("\n".join(lines) + "\n")
        writer.flush()

        done = scrub_logs(tmp_path, ["a b"], [Position(2, 17)])
        writer.write("record=2:171\n")

    after = log.read_text().splitlines()
    assert (done.lines, done.files) == (2, 1)
    assert [len(line) for line in after[:4]] == [len(line) for line in lines]
    assert [after[1], after[3], after[4]] == [lines[1], lines[3], "record=2:171"]
    assert "a%20b" not in log.read_text()
    assert "-9.99" not in log.read_text()
    assert scrub_logs(tmp_path, ["a b"], [Position(2, 17)]).lines == 0


def test_a_compressed_log_is_written_anew_and_servers_data_is_left_alone(tmp_path: Path) -> None:
    rotated = tmp_path / "logs" / "worker.log.1.gz"
    data = tmp_path / "kafka" / "data" / "0.log"
    for path, content in ((rotated, gzip.compress(b"ada\nbob\n")), (data, b"ada")):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    assert scrub_logs(tmp_path, ["ada"], []).files == 1

    assert b"ada" not in gzip.decompress(rotated.read_bytes())
    assert gzip.decompress(rotated.read_bytes()).endswith(b"\nbob\n")
    assert data.read_bytes() == b"ada"


def reject(path: Path, known: Path, *customers: str) -> None:
    with Rejects(path, known) as rejects:
        for number, customer in enumerate(customers):
            row = Row(number, {"customer_id": customer, "total_amount": "none"}, None)
            rejects.add(row, None, FieldError("total_amount", "none", "a number"))


def test_r24_rejected_rows_are_found_wherever_imports_wrote_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    some = tmp_path / "here" / "a.rejected.jsonl"
    only = tmp_path / "there" / "b.rejected.jsonl"
    for path, customers in ((some, ("ada", "bob")), (only, ("ada",))):
        path.parent.mkdir()
        reject(path, rejects_list(home), *customers)
    old = some.with_name(f".{some.name}.xyz")
    old.write_text("ada")
    os.utime(old, (0, 0))

    done, unreachable = scrub_rejects(home, ["ada"])

    assert (done.lines, done.files, unreachable) == (2, 2, [])
    assert [json.loads(line)["input"]["customer_id"] for line in some.read_text().splitlines()] == ["bob"]
    assert not only.exists()
    assert not old.exists()
    assert rejects_list(home).read_text().splitlines() == [json.dumps(str(some))]


def test_what_a_killed_run_of_spark_left_is_deleted(tmp_path: Path) -> None:
    left = tmp_path / "spark" / "tmp" / "blockmgr-1" / "0c"
    left.mkdir(parents=True)
    (left / "shuffle").write_text("ada")

    assert clear_scratch(tmp_path) == 1

    assert list((tmp_path / "spark" / "tmp").iterdir()) == []
