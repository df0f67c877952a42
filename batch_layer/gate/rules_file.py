"""Reading the file of rules, which is checked at once; and an operator's decisions, which name its rules."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import msgspec

from batch_layer.gate.rules import RESERVED, NullsRule, Rules, VolumeRule
from common.errors import UsageError
from common.log.wire import BY_KIND
from common.settings import Settings

_RULE: Final = re.compile(r" - at `\$\.rules\[(\d+)\](.*?)`$")


def load(settings: Settings) -> Rules:
    """Returns the rules of the deployment's own file or, without one, of the file that comes with this release.

    Raises UsageError, which names the file, the rule and what is wrong with it.
    """
    path = settings.batch.rules_file
    try:
        text = Path(path).read_bytes() if path else files("batch_layer.gate").joinpath("rules.yaml").read_bytes()
    except OSError as error:
        raise UsageError("LAMBDA360_BATCH_RULES_FILE", path, f"a file of rules: {error.strerror}") from error
    return parse(text, file_of(settings))


def file_of(settings: Settings) -> str:
    """Returns the name of the rules' file, for messages."""
    return settings.batch.rules_file or "batch_layer/gate/rules.yaml"


def parse(text: bytes, file: str) -> Rules:
    """Returns the rules in the YAML `text`. Raises UsageError, which names `file`, the rule and what is wrong."""
    try:
        found = msgspec.yaml.decode(text, type=Rules)
    except msgspec.ValidationError as error:
        raise UsageError(file, _place(str(error), text), _RULE.sub(r" (\2)", str(error))) from error
    except msgspec.DecodeError as error:
        raise UsageError(file, str(error), "a YAML file with a list of `rules`") from error
    _check(found, file)
    return found


def _place(message: str, text: bytes) -> str:
    """The name of the rule that the decoder's message is about, or its place in the file."""
    found = _RULE.search(message)
    if found is None:
        return "rules"
    number = int(found.group(1))
    named = msgspec.convert(msgspec.yaml.decode(text), dict[Literal["rules"], list[dict[str, object]]])
    return str(named["rules"][number].get("name", f"rule {number + 1}"))


def _check(found: Rules, file: str) -> None:
    for name, count in Counter(found.names).items():
        if count > 1:
            raise UsageError(file, name, "a name of one rule only")
        if name in RESERVED:
            raise UsageError(file, name, f"a name other than {' and '.join(RESERVED)}, which are figures of a run")
    for rule in found.rules:
        if isinstance(rule, NullsRule):
            _check_nulls(rule, file)
        elif isinstance(rule, VolumeRule) and rule.at_most is not None and rule.at_most < rule.at_least:
            raise UsageError(file, rule.name, "`at_most` must not be below `at_least`")


def _check_nulls(rule: NullsRule, file: str) -> None:
    of_a_field = (rule.of, rule.field, rule.at_most)
    if (rule.rise is None and None in of_a_field) or (rule.rise is not None and of_a_field != (None, None, None)):
        raise UsageError(file, rule.name, "a rule of nulls has either `of`, `field` and `at_most`, or `rise`")
    if rule.of is not None and rule.of not in BY_KIND:
        raise UsageError(file, rule.name, f"`of` is one of {', '.join(BY_KIND)}")


def check_decisions(rules: Rules, waived: Mapping[str, str], approved: Collection[str]) -> None:
    """Raises UsageError for a waiver of no rule or without a reason, and for an approval that names no change."""
    for name, reason in waived.items():
        if name not in rules.names:
            raise UsageError("--waive", name, f"a rule; there are: {', '.join(rules.names)}")
        if not reason.strip():
            raise UsageError("--waive", name, "a reason behind the name: --waive RULE=REASON")
    for name in approved:
        if not _CHANGE.fullmatch(name):
            raise UsageError("--approve", name, "a change as the gate names it: removed:KIND.FIELD@SOURCE")


_CHANGE: Final = re.compile(r"(new|removed|changed):[a-z_]+\..+@.+", re.DOTALL)
