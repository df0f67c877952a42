"""R18: what an operator accepts is accepted with a reason."""

import pytest

from batch_layer.decisions import Decisions
from common.errors import UsageError
from infra.commands.batch_audit import with_audit


def test_what_is_accepted_is_added_to_the_other_decisions() -> None:
    gate = Decisions(waived={"volume": "a holiday"})

    found = with_audit(gate, ["ada", "bob"], " a disk was lost ", unaudited=True)

    assert found == Decisions(
        waived={"volume": "a holiday"},
        accepted_drift=frozenset({"ada", "bob"}),
        accept_unaudited=True,
        reason="a disk was lost",
    )
    assert with_audit(gate, [], "", unaudited=False) == gate


@pytest.mark.parametrize(
    ("drift", "unaudited", "reason", "rule"),
    [
        (["ada"], False, " ", "--accept-drift needs a reason"),
        ([], True, "", "--accept-unaudited needs a reason"),
        ([], False, "why", "it belongs to --accept-drift or --accept-unaudited"),
    ],
)
def test_a_flag_without_a_reason_and_a_reason_without_a_flag_are_usage(
    drift: list[str], unaudited: bool, reason: str, rule: str
) -> None:
    with pytest.raises(UsageError, match=rule):
        with_audit(Decisions(), drift, reason, unaudited=unaudited)
