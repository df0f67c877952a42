"""The one family of errors; each carries its data, and its text is fit for a user.

Lambda360Error
├── FieldError               a value that breaks a rule: field, value, rule
│   ├── SettingsError            a setting
│   ├── UsageError               an argument or an input file of a command
│   │   └── BrokenSource             a file that breaks off behind rows that were read (infra.ingest.rows)
│   ├── RejectedRecord           a record that validation excludes (R3)
│   └── InvalidRequest           an input of an HTTP request (serving_layer.problems)
├── Unavailable              a server does not answer, and may answer later: server (R14)
│   ├── StoreUnavailable         Cassandra
│   │   ├── SlotReused               the slot was overwritten while it was read (R20, serving_layer.read.store)
│   │   ├── TooManyDeltas            more of one customer than an answer adds up (serving_layer.read.store)
│   │   └── StatementRefused         a table was dropped or changed since (serving_layer.read.store)
│   ├── LogUnavailable           Kafka
│   ├── WarehouseUnavailable     the object store of the warehouse
│   ├── WebhookUnavailable       the receiver of notifications
│   ├── ApiUnavailable           our own API, asked by a command (infra.commands.asking)
│   └── CircuitOpen              any of them; it was not called, since its circuit breaker is open: failures
├── NotificationRefused      the receiver answered that it will not take this notification, and would not later
├── LogError                 the log is not what it was, or does not take a record (R1, R12, R15)
├── NotApplied               the speed layer did not apply the log's end in time
├── WorkerError              a speed worker cannot begin, or cannot go on
│   ├── Stuck                    it stood still although there was work (speed_layer.progress.watchdog)
│   └── OutOfSequence            a record was lost or repeated inside it (speed_layer.apply.lanes)
├── BatchError               a batch step cannot go on (R19)
│   ├── ClaimLost                another run claimed the slot, or published, first (R17)
│   ├── ExportFailed             a batch is published, and what comes out of it is not complete
│   ├── GateClosed               a quality rule, or the shape of the data, stops the run: examples
│   ├── DriftFound               the audit stops the run, or `verify` found a difference (R18): findings
│   └── Conflict                 another commit to the master came first (R15, batch_layer.master.table)
├── PointerUnreadable        a newer release wrote what this one does not know into the pointer row (R17)
├── SchemaError              a keyspace's schema does not fit this release (infra.schema.changes)
├── StackError               a local server cannot be started, reached or stopped
├── ApiRefused               our own API answered a command with an error (infra.commands.asking)
├── UnreadableCell           a stored cell of another release (R22, serving_layer.read.cells)
├── TooMany                  a customer has more facts than a list in progress can sort (serving_layer.answer.facts)
├── UnknownCustomer          nothing is known of a customer: provenance (serving_layer.problems)
├── UnknownBatch             there is no such batch, or no slot holds it (serving_layer.read.store)
├── Degraded                 an exact answer was asked for, and there is none: provenance (serving_layer.problems)
├── Forbidden                the caller may not do this (serving_layer.problems)
├── Busy                     no further stream can be opened now (serving_layer.live.hub)
├── BadVector                a stream cannot be resumed there: the position is none of this log (serving_layer.live.hub)
└── NotReady                 the API cannot answer yet: reasons (serving_layer.problems)

A class that one layer alone knows stands in that layer. The oracle's `Invalid` is outside on purpose: the oracle
imports none of the packages that it judges.
"""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

E = TypeVar("E", bound=BaseException)


class Lambda360Error(Exception):
    """The root of the family."""


def as_value(error: E) -> E:
    """Returns `error` without the frames that it came through, to be kept as a value.

    Its traceback holds frames, which hold their variables, and among these is whatever keeps the error. All that would
    stay until Python looks for cycles, which a worker does seldom (`common.garbage`).
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


class FieldError(Lambda360Error):
    """A value that breaks a rule: `value` stands in `field` and breaks `rule`."""

    shown: ClassVar[int] = 80
    """The most characters of the value that the text quotes."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        super().__init__(f"{field}: {shorten(value, self.shown)}: {rule}")


class SettingsError(FieldError):
    """A setting that cannot be used."""


class RejectedRecord(FieldError):
    """A record that both layers exclude, for this reason (R3)."""


class UsageError(FieldError):
    """A command's argument or input file that cannot be used."""

    shown = 1_000  # a path is known by its end


class Unavailable(Lambda360Error):
    """A server does not answer as it should; the same request may succeed later."""

    server: str
    """`cassandra`, `kafka`, `warehouse`, `webhook` or `api`."""


class StoreUnavailable(Unavailable):
    """Cassandra did not answer, at the consistency asked for, in time."""

    server = "cassandra"


class LogUnavailable(Unavailable):
    """Kafka did not answer as it should, in time; whether a record was appended is not known."""

    server = "kafka"


class WarehouseUnavailable(Unavailable):
    """The object store that holds the warehouse did not answer, or did not take the credentials."""

    server = "warehouse"


class WebhookUnavailable(Unavailable):
    """The receiver of notifications did not acknowledge one in time; whether it took it is not known."""

    server = "webhook"


class CircuitOpen(Unavailable):
    """The server was not called: `failures` calls in a row failed, and it is not yet time for another."""

    def __init__(self, server: str, failures: int) -> None:
        self.server = server
        self.failures = failures
        super().__init__(f"{server} is not called: its circuit breaker is open (failures in a row: {failures})")


class NotificationRefused(Lambda360Error):
    """The receiver refuses a notification for what it is; sending it again gives the same answer."""


class LogError(Lambda360Error):
    """The log breaks R1, R12 or R15 (it was recreated, cut short or repartitioned), or it refuses a record."""


class NotApplied(Lambda360Error):
    """The speed layer did not apply the log below given offsets in time."""


class WorkerError(Lambda360Error):
    """A speed worker cannot begin, or cannot go on; another one may."""


class BatchError(Lambda360Error):
    """A step of a batch cannot go on; the current view is as it was (R19)."""


class ClaimLost(BatchError):
    """Another run claimed the slot, or published, first (R17); this one changed no view."""


class ExportFailed(BatchError):
    """A batch is published, and its export is not complete; the next run finishes it."""


class GateClosed(BatchError):
    """The quality gate stops the run before anything is computed; the text names each rule and how to waive it.

    `examples` quote values of records, so they are printed, and kept nowhere.
    """

    def __init__(self, text: str, examples: Sequence[str] = ()) -> None:
        self.examples = tuple(examples)
        super().__init__(text)


class DriftFound(BatchError):
    """The new view and the answers that are served differ (R18); the text names customers, classes and the way on."""


class PointerUnreadable(Lambda360Error):
    """A newer release wrote what this one does not know into the pointer row, and a write would drop it (R17)."""


class StackError(Lambda360Error):
    """A local server that cannot be started, reached or stopped."""


def shorten(value: object, limit: int = 80) -> str:
    """Returns `repr(value)`, on one line; a longer one is cut to `limit` characters, an ellipsis and its length."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
