"""`--waive` and `--approve` are checked before anything is started."""

import pytest

from common.errors import UsageError
from common.settings import Settings
from infra.commands.batch_decisions import gate_decisions


def test_waivers_have_a_rule_and_a_reason_and_approvals_a_change() -> None:
    made = gate_decisions(Settings(), ["volume= a = b ", "profile_ages=old"], ["removed:order.gift@shop"])

    assert made.waived == {"volume": "a = b", "profile_ages": "old"}
    assert made.approved == {"removed:order.gift@shop"}
    assert not gate_decisions(Settings(), [], []).waived


@pytest.mark.parametrize(
    ("waivers", "approvals", "says"),
    [
        (["volume"], [], "RULE=REASON"),
        (["volume="], [], "a reason"),
        (["volume=a", "volume=b"], [], "twice"),
        (["volumes=a"], [], "there are: field_new, field_removed, .*volume, "),
        ([], ["gift"], r"removed:KIND\.FIELD@SOURCE"),
    ],
)
def test_another_form_is_a_usage_error(waivers: list[str], approvals: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        gate_decisions(Settings(), waivers, approvals)
