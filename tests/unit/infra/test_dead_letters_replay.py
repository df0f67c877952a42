"""Replaying dead letters before any server: what may go into the log again, in which portions, and what is said."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from click.testing import CliRunner

from common.errors import LogUnavailable, UsageError
from common.log.dead_letters import Address, Discarded, Letter, Rejection
from common.log.partition import partition_of
from common.log.position import Position
from infra.cli import lambda360
from infra.operate.dead_letters import report, view
from infra.operate.dead_letters.judge import Cause, Erasure, Ready, Refused, is_erased, judge, unless_erased
from infra.operate.dead_letters.replay import CHUNK, CHUNK_BYTES, Replay, Summary, chunks
from infra.operate.dead_letters.selection import STATES, Filter, parse_id
from tests.support.builders import Message, erasure, order
from tests.support.letters import AT, PARTITIONS, RULES, Servers, letter
from tests.support.poison import POISONS


def judged(message: Message, **more: Any) -> Ready | Refused:
    return judge(letter(message, **more), RULES, PARTITIONS, by_id=False)


def test_a_record_in_a_wrong_partition_is_mended_by_its_own() -> None:
    ready = judged(order("ada"))
    assert isinstance(ready, Ready)
    assert ready.partition == partition_of("ada", PARTITIONS)


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
def test_what_the_rules_still_reject_is_refused_with_field_and_rule(poison: Any) -> None:
    key, value, _ = poison.spoil(*order("ada")[:2], PARTITIONS)
    verdict = judged(Message(key, value))
    if poison.name == "another partition":
        assert isinstance(verdict, Ready)
        return
    assert isinstance(verdict, Refused)
    assert verdict.field
    assert verdict.rule
    assert verdict.cause is Cause.RULES


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("message", [order("ada"), erasure("ada"), order("ada", total_amount="-1")])
def test_a_letter_whose_record_is_in_the_log_again_is_refused_with_its_position(
    message: Message, *, by_id: bool
) -> None:
    """R4, R24: a second time it would win over a later record of equal version, or forget what came since."""
    first = letter(message)
    rejections = {**first.rejections, Position(2, 1): Rejection(AT + 1, "key", "None", "a key")}
    row = replace(
        first, rejections=rejections, replays={Position(1, 12): AT + 3, Position(2, 1): AT + 1, Position(1, 9): AT + 2}
    )
    verdict = judge(row, RULES, PARTITIONS, by_id=by_id)
    assert isinstance(verdict, Refused)
    assert (verdict.letter, verdict.field) == (row.address, "state")
    assert verdict.value == "replayed, in the log again at 1:9, 1:12"
    assert verdict.cause is Cause.OTHER


def test_a_replay_that_was_rejected_again_or_given_up_may_go_into_the_log_once_more() -> None:
    row = letter(order("ada"))
    rejections = {**row.rejections, Position(2, 1): Rejection(AT + 1, "key", "None", "a key")}
    for again in (
        replace(row, rejections=rejections, replays={Position(2, 1): AT}),
        replace(row, discarded=Discarded(AT, "x")),
    ):
        assert isinstance(judge(again, RULES, PARTITIONS, by_id=True), Ready)


def test_a_record_of_which_the_table_has_a_prefix_is_refused() -> None:
    verdict = judged(order("ada"), kept=False)
    assert isinstance(verdict, Refused)
    assert "All of it lies in the log at 0:7" in verdict.rule


def test_an_erasure_is_replayed_only_by_its_id() -> None:
    """R24: at its new position it forgets what came since."""
    assert isinstance(judged(erasure("ada")), Refused)
    assert isinstance(judge(letter(erasure("ada")), RULES, PARTITIONS, by_id=True), Ready)


def test_an_erasure_that_took_effect_is_refused_though_its_letter_was_not_marked() -> None:
    """R24: killed between acknowledge and mark, then run again: it would forget what the customer did since."""
    ready = judge(letter(erasure("ada")), RULES, PARTITIONS, by_id=True)
    assert isinstance(ready, Ready)
    verdict = unless_erased(ready, {"ada": Erasure(40, AT + 1)})
    assert isinstance(verdict, Refused)
    assert verdict.cause is Cause.ERASED
    assert "forget what came since" in verdict.rule


@pytest.mark.parametrize(
    ("partition", "offset", "appended_at", "erased"),
    [
        (3, 9, AT + 9, True),  # in the customer's own partition offsets decide, and nothing else
        (3, 11, AT - 9, False),
        (0, 99, AT - 1, True),  # elsewhere the append time
        (0, 99, AT, True),
        (0, 1, AT + 1, False),
    ],
)
def test_a_record_from_before_its_customers_erasure_is_known(
    partition: int, offset: int, appended_at: int, *, erased: bool
) -> None:
    """R24."""
    where = Address(date(2024, 7, 1), Position(partition, offset))
    assert is_erased(where, appended_at, 3, Erasure(10, AT)) == erased


def replayed(servers: Servers, letters: Sequence[Letter], summary: Summary) -> list[Refused]:
    refused: list[Refused] = []
    Replay(servers, RULES, PARTITIONS, by_id=False, say=refused.append).run(iter(letters), summary)
    return refused


def test_a_replay_goes_in_bounded_portions_and_marks_what_was_acknowledged() -> None:
    letters = [letter(order(f"c{n}"), n) for n in range(2 * CHUNK)] + [letter(order("x", total_amount="-1"), 999)]
    servers, summary = Servers({"c5": Erasure(10, AT)}), Summary()
    refused = replayed(servers, letters, summary)
    assert [len(portion) for portion in servers.portions] == [CHUNK - 1, CHUNK]
    assert (summary.appended, summary.refused, len(servers.marked)) == (2 * CHUNK - 1, 2, 2 * CHUNK - 1)
    assert [(each.letter.position.offset, each.field) for each in refused] == [
        (5, "data.customer_id"),
        (999, "data.total_amount"),
    ]
    assert "erased afterwards" in refused[0].rule
    assert "bring data back" in refused[0].rule
    assert summary.causes == {Cause.ERASED: 1, Cause.RULES: 1}


def test_a_log_that_stops_taking_records_ends_the_replay_with_what_it_took_marked() -> None:
    servers, summary = Servers(fail_after=3), Summary()
    with pytest.raises(LogUnavailable, match="Kafka is away"):
        replayed(servers, [letter(order(f"c{n}"), n) for n in range(9)], summary)
    assert (summary.appended, [each.letter.position.offset for each in servers.marked]) == (3, [0, 1, 2])


def test_large_records_make_small_portions() -> None:
    large = Message(b"k", b"x" * (CHUNK_BYTES // 2))
    assert [len(chunk) for chunk in chunks(letter(large, n) for n in range(5))] == [2, 2, 1]


def test_a_filter_looks_at_day_partition_state_and_the_last_rejections_field() -> None:
    found = letter(order("ada"))
    assert Filter(date(2024, 7, 1), 0).admits_key(found.address.day, 0)
    assert not Filter(date(2024, 7, 2)).admits_key(found.address.day, 0)
    assert not Filter(partition=1).admits_key(found.address.day, 0)
    assert [Filter(field=name).admits(found) for name in ("partition", "key")] == [True, False]
    assert [name for name, states in STATES.items() if Filter(states=states).admits(found)] == ["open", "all"]


@pytest.mark.parametrize("text", ["", "7", "1:2:3", "-1:2", "a:b", "1:99999999999999999999", " 1:2"])
def test_an_id_that_is_none_is_named_with_the_rule(text: str) -> None:
    with pytest.raises(UsageError, match="PARTITION:OFFSET"):
        parse_id(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay"], "Say which: --id P:O, or --all"),
        (["replay", "--partition", "1"], "or --all with these filters"),
        (["replay", "--id", "1:2", "--all"], "either --id, or --all"),
        (["discard", "--id", "1-2", "--reason", "x"], "PARTITION:OFFSET"),
        (["discard", "--id", "1:2"], "Missing option '--reason'"),
        (["discard", "--all", "--reason", " "], "1 to 500 characters"),
        (["list", "--day", "yesterday"], "YYYY-MM-DD"),
        (["show", "7"], "PARTITION:OFFSET"),
        (["list", "--limit", "1" + "0" * 20], "is not in the range"),
        (["replay", "--all", "--timeout", "nan"], "no finite number"),
        (["replay", "--all", "--timeout", "inf"], "no finite number"),
        (["list", "--limit", "-1"], "is not in the range"),
    ],
)
def test_wrong_usage_is_told_before_any_server_is_asked(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(lambda360, ["dead-letters", *arguments])
    assert said in result.output + str(result.exception)


def test_whatever_a_record_holds_is_shown_quoted_on_its_line() -> None:
    shown = letter(Message(b"\x1b[31m\n", b'{"a":\n\x00\xff'))
    assert all(cell.isprintable() for cell in view.row(shown))
    assert all(text.isprintable() for text in view.pages(shown))
    body = json.loads(json.dumps(view.as_dict(shown, with_value=True)))
    assert (body["id"], body["state"], body["attempts"], body["field"]) == ("0:7", "open", 1, "partition")
    assert body["first_seen"] == body["last_seen"] == "2024-07-01T02:13:20.123000+00:00"


@pytest.mark.parametrize("as_json", [True, False])
def test_every_letter_is_shown_on_a_line_of_its_own(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    shown = letter(Message(b"\x1b[31m\n", b'{"a":\n\x00\xff'))

    assert view.show_each(iter([shown] * 3), as_json=as_json) == 3

    lines = capsys.readouterr().out.splitlines()
    if as_json:
        assert [json.loads(line)["id"] for line in lines] == ["0:7"] * 3
    else:
        assert [line.split()[0] for line in lines] == ["id", *["0:7"] * 3]


def test_a_letter_without_bytes_or_given_up_is_shown_too() -> None:
    empty = letter(Message(None, None))
    given_up = Letter(
        empty.address, AT, None, None, None, None, empty.rejections, {Position(1, 1): AT}, Discarded(AT, "why")
    )
    text = "\n".join(view.pages(given_up))
    assert "value        none" in text
    assert "discarded    2024-07-01 02:13:20: 'why'" in text
    assert view.as_dict(given_up, with_value=True)["discarded"]["reason"] == "why"


def test_a_replay_says_what_was_done_and_what_to_do_next() -> None:
    summary = Summary(appended=2, refused=3)
    summary.reasons.update({"key: a key": 2, "data: missing": 1})
    said = list(report.after_replay(summary, interrupted=False))
    assert said[:3] == ["2 appended and acknowledged, 3 refused", "  2 x key: a key", "  1 x data: missing"]
    assert "speed wait" in said[-1]
    assert "No open letter" in "".join(report.after_replay(Summary(), interrupted=False))
