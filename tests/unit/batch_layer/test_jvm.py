"""The options of the driver's JVM: a long history is worth a slower start."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from batch_layer import jvm
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.errors import LogUnavailable
from common.servers import kafka, log_identity, pointer_row
from common.servers.log_identity import LogIdentity
from common.settings import Settings

CUT = Cut({0: 5, 1: 7})


@pytest.mark.parametrize(
    ("records", "has_first_compiler_only"), [(0, True), (jvm.LONG_RECORDS - 1, True), (jvm.LONG_RECORDS, False)]
)
def test_both_compilers_work_from_a_million_records_on(records: int, has_first_compiler_only: bool) -> None:
    assert ("-XX:TieredStopAtLevel=1" in jvm.options(records)) is has_first_compiler_only


@pytest.mark.parametrize(
    ("ends", "records"),
    [
        pytest.param({0: 9, 1: 9}, 18, id="the log is longer"),
        pytest.param({0: 0, 1: 0}, 12, id="the log was emptied below the cut"),
        pytest.param(None, 12, id="Kafka does not answer"),
    ],
)
def test_the_history_is_what_the_batch_and_the_log_have(
    monkeypatch: pytest.MonkeyPatch, ends: Mapping[int, int] | None, records: int
) -> None:
    found(monkeypatch, batch(), LogIdentity("customer_events", "id", 2), ends)

    assert jvm.history(cast(Any, None), Settings()) == records


def test_a_system_without_a_log_has_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, None, None, None)

    assert jvm.history(cast(Any, None), Settings()) == 0


def batch() -> Published:
    plan = Plan(1, CUT, "1", "1")
    return Published(batch_id=1, slot="a", published_at=1, rows=1, plan=plan, checksum="")


def found(
    monkeypatch: pytest.MonkeyPatch,
    published: Published | None,
    identity: LogIdentity | None,
    ends: Mapping[int, int] | None,
) -> None:
    """What the stores hold; None for `ends` is a Kafka that does not answer."""

    pointer = Pointer() if published is None else Pointer(current=published.batch_id, complete=(published,))

    def end_offsets(*_: object, **__: object) -> Mapping[int, int]:
        if ends is None:
            raise LogUnavailable("no answer")
        return ends

    monkeypatch.setattr(pointer_row, "patient_read", lambda _: pointer)
    monkeypatch.setattr(log_identity, "find", lambda *_: identity)
    monkeypatch.setattr(kafka, "end_offsets", end_offsets)
