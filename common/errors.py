"""The one family of errors; each carries its data, and each message says what to do.

Lambda360Error
├── SettingsError        a setting: variable, value, rule
├── RejectedRecord       a record that validation excludes (R3): field, value, rule
├── UsageError           a command's input: field, value, rule
├── StackError           a local server: what happened, what to do
├── LogError             the log is not what it was, or not there (R1, R12, R15)
│   └── LogUnavailable   Kafka does not answer
├── StoreUnavailable     Cassandra does not answer
├── ClaimLost            another batch run took the slot or published first (R17, R19)
└── BatchError           a batch step that cannot go on
"""


class Lambda360Error(Exception):
    """The root: its text is fit for a user."""


class FieldError(Lambda360Error):
    """A value that breaks a rule; `field`, `value` and `rule` say which, what and why."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field, self.value, self.rule = field, value, rule
        super().__init__(f"{field}: {shorten(value)}: {rule}")


class SettingsError(FieldError):
    """A setting that cannot be used."""


class RejectedRecord(FieldError):
    """A record that both layers exclude, for this reason (R3)."""


class UsageError(FieldError):
    """A command's argument or input file that cannot be used."""


class StackError(Lambda360Error):
    """A local server that cannot be started, reached or stopped."""


class LogError(Lambda360Error):
    """The log cannot be read as R1 and R12 demand: recreated, cut short, repartitioned or unreachable."""


class LogUnavailable(LogError):
    """Kafka did not answer as it should, in time; the log may be as it was."""


class StoreUnavailable(Lambda360Error):
    """Cassandra did not answer, at the consistency asked for, in time."""


class ClaimLost(Lambda360Error):
    """Another run claimed the slot, or published, first (R17); nothing was changed by this one."""


class BatchError(Lambda360Error):
    """A batch step that cannot go on; the current view is as it was (R19)."""


def shorten(value: object, limit: int = 80) -> str:
    """`value` as a person would quote it, on one line, at most `limit` characters and an ellipsis."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
