"""The gate's rules: what each kind of rule says. Knows no file, and no Spark: SQL is checked where it is run."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from batch_layer.gate_report import Severity
from common.log.shapes import What

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$", description="a name: small letters, digits and _")]
Sentence = Annotated[str, Meta(min_length=1)]
Sql = Annotated[str, Meta(min_length=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Ratio = Annotated[float, Meta(ge=0)]


RUNS: Final = 7
"""The last so many published runs, at most, are what a run is compared with."""
LEAST_RUNS: Final = 3
"""Fewer give no verdict."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What all rules have."""

    name: Name
    severity: Severity
    says: Sentence
    """The rule's message, without its figures."""

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


class ShapeRule(Rule, frozen=True, kw_only=True, tag="shape"):
    """Broken by a change of a source's shape of one sort, unless the change is approved."""

    what: What


class VolumeRule(Rule, frozen=True, kw_only=True, tag="volume"):
    """Broken by a rate below `at_least` or above `at_most` times the median rate of the last published runs."""

    at_least: Ratio
    at_most: Ratio | None = None
    runs: Annotated[int, Meta(ge=1, le=1000)] = RUNS
    """The runs whose median it is, at most."""
    least_runs: Annotated[int, Meta(ge=1)] = LEAST_RUNS
    """Fewer give no verdict."""
    least_hours: Ratio = 1.0
    """A run that covers less append time has no rate: a burst is no rate of a source."""


class NullsRule(Rule, frozen=True, kw_only=True, tag="nulls"):
    """Broken if a field's share of nulls is above `at_most`, or any field's is more than `rise` above the declared."""

    of: str | None = None
    field: str | None = None
    at_most: Share | None = None
    rise: Share | None = None


class RowRule(Rule, frozen=True, kw_only=True, tag="row"):
    """Broken if `where` holds for a larger share than `at_most` of the rows for which `of` holds."""

    where: Sql
    of: Sql = "TRUE"
    at_most: Share = 0.0

    @property
    def fails(self) -> str:
        """The SQL condition of a failing row; never null."""
        return f"coalesce(({self.of}) AND ({self.where}), FALSE)"

    @property
    def concerns(self) -> str:
        """The SQL condition of a row that the rule looks at; never null."""
        return f"coalesce(({self.of}), FALSE)"


class SetRule(Rule, frozen=True, kw_only=True, tag="set"):
    """Broken if the SQL aggregate `value` over all new rows is above `at_most`."""

    value: Sql
    at_most: Ratio


AnyRule = ShapeRule | VolumeRule | NullsRule | RowRule | SetRule
RESERVED: Final = ("records", "score")
"""Names of rows of the table `quality` that are figures of the whole run."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of a deployment, in the file's order."""

    rules: tuple[AnyRule, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(rule.name for rule in self.rules)

    @property
    def of_rows(self) -> tuple[RowRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, RowRule))

    @property
    def of_sets(self) -> tuple[SetRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, SetRule))

    def uses(self, column: str) -> bool:
        """Returns whether the SQL of any rule names the column."""
        texts = [*(rule.fails for rule in self.of_rows), *(rule.value for rule in self.of_sets)]
        return any(column in text.lower() for text in texts)
