"""A kept event as this release reads it: what questions about lineage need of it. Pure; knows no Spark.

Unknown facets are passed over, so events of later releases are readable, and so are further outputs.
"""

from typing import Final

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """How many records of a kind an origin added."""

    kind: str
    records: int


class PartitionRange(msgspec.Struct, frozen=True, rename="camel"):
    """The new records of a partition; `from_offset` is None in an event from before it was known."""

    partition: int
    to_offset: int
    from_offset: int | None = None


class _OffsetsFacet(msgspec.Struct, frozen=True, rename="camel"):
    topic_id: str
    partitions: tuple[PartitionRange, ...]


class _OriginFacet(msgspec.Struct, frozen=True):
    kinds: tuple[Kind, ...]


class _Statistics(msgspec.Struct, frozen=True, rename="camel"):
    row_count: int | None = None


class Assertion(msgspec.Struct, frozen=True):
    """A rule of the quality gate, and whether it held."""

    assertion: str
    success: bool
    name: str = ""
    severity: str = ""


class _Assertions(msgspec.Struct, frozen=True):
    assertions: tuple[Assertion, ...]


class _InputFacets(msgspec.Struct, frozen=True):
    offsets: _OffsetsFacet | None = msgspec.field(default=None, name="lambda360_offsets")
    origin: _OriginFacet | None = msgspec.field(default=None, name="lambda360_origin")
    statistics: _Statistics = msgspec.field(default=_Statistics(), name="inputStatistics")
    quality: _Assertions | None = msgspec.field(default=None, name="dataQualityAssertions")


class _OutputFacets(msgspec.Struct, frozen=True):
    statistics: _Statistics = msgspec.field(default=_Statistics(), name="outputStatistics")


class Measure(msgspec.Struct, frozen=True):
    """A measure of a view, and the kind of fact that it is counted from."""

    name: str
    kind: str


class _Measures(msgspec.Struct, frozen=True):
    measures: tuple[Measure, ...]


class Metric(msgspec.Struct, frozen=True, rename="camel"):
    """A metric of the answers, and what it is computed from."""

    name: str
    measures: tuple[str, ...]
    profile_fields: tuple[str, ...]


class _Metrics(msgspec.Struct, frozen=True):
    metrics: tuple[Metric, ...]


class _Version(msgspec.Struct, frozen=True):
    value: str = msgspec.field(name="datasetVersion")


class InputField(msgspec.Struct, frozen=True):
    """A column that another one is computed from."""

    namespace: str
    name: str
    field: str


class _Fields(msgspec.Struct, frozen=True, rename="camel"):
    input_fields: tuple[InputField, ...]


class _Lineage(msgspec.Struct, frozen=True):
    fields: dict[str, _Fields]
    dataset: tuple[InputField, ...] = ()


class _Field(msgspec.Struct, frozen=True):
    name: str
    fields: tuple["_Field", ...] = ()


class _Schema(msgspec.Struct, frozen=True):
    fields: tuple[_Field, ...] = ()


class _Facets(msgspec.Struct, frozen=True):
    version: _Version | None = None
    schema: _Schema = _Schema()
    lineage: _Lineage | None = msgspec.field(default=None, name="columnLineage")
    measures: _Measures | None = msgspec.field(default=None, name="lambda360_measures")
    metrics: _Metrics | None = msgspec.field(default=None, name="lambda360_metrics")


class Dataset(msgspec.Struct, frozen=True, rename="camel"):
    """An input or an output."""

    namespace: str
    name: str
    facets: _Facets = _Facets()
    input_facets: _InputFacets = _InputFacets()
    output_facets: _OutputFacets = _OutputFacets()

    @property
    def short(self) -> str:
        """The name without what stands before its last part: `events`, `batch_view_a`; of an origin all of it."""
        if self.is_origin:
            return self.name
        last = self.name.rpartition("/")[2]
        return last if self.namespace.startswith("kafka:") else last.rpartition(".")[2]

    @property
    def is_origin(self) -> bool:
        """Whether it is a file or a producer that records came from."""
        return self.input_facets.origin is not None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of an origin, the kinds of the records that it added."""
        return () if self.input_facets.origin is None else self.input_facets.origin.kinds

    @property
    def rows(self) -> int | None:
        """How many rows of it were read, or written."""
        read = self.input_facets.statistics.row_count
        return self.output_facets.statistics.row_count if read is None else read

    @property
    def version(self) -> str:
        """The version of it that was read or written; empty where it has none."""
        return "" if self.facets.version is None else self.facets.version.value

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns; one within another is spelled `state.revenue`."""
        of = self.facets.schema.fields
        return tuple(name for each in of for name in (each.name, *(f"{each.name}.{one.name}" for one in each.fields)))


class _BatchRun(msgspec.Struct, frozen=True, rename="camel"):
    batch_id: int
    attempt: int
    step: str = ""
    slot: str = ""


class _RunFacets(msgspec.Struct, frozen=True):
    batch: _BatchRun = msgspec.field(name="lambda360_run")


class _Run(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="runId")
    facets: _RunFacets = msgspec.field()


class Event(msgspec.Struct, frozen=True):
    """One event of an attempt of a batch."""

    type: str = msgspec.field(name="eventType")
    time: str = msgspec.field(name="eventTime")
    run: _Run = msgspec.field()
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    @property
    def batch_id(self) -> int:
        return self.run.facets.batch.batch_id

    @property
    def attempt(self) -> int:
        return self.run.facets.batch.attempt

    @property
    def step(self) -> str:
        """The open step, or the last one."""
        return self.run.facets.batch.step

    @property
    def slot(self) -> str:
        return self.run.facets.batch.slot


def decode(line: bytes) -> Event:
    """Returns the event in one line of JSON. Raises msgspec.DecodeError if it is none of a batch run."""
    return _EVENT.decode(line)


_EVENT: Final = msgspec.json.Decoder(Event)
