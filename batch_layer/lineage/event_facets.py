"""The facets of kept events, as far as questions about lineage need them. Pure."""

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


class OffsetsFacet(msgspec.Struct, frozen=True, rename="camel"):
    """The log's identity, and the ranges of a run's new records."""

    topic_id: str
    partitions: tuple[PartitionRange, ...]


class OriginFacet(msgspec.Struct, frozen=True):
    """What an origin added."""

    kinds: tuple[Kind, ...]


class Statistics(msgspec.Struct, frozen=True, rename="camel"):
    """How many rows were read, or written."""

    row_count: int | None = None


class Assertion(msgspec.Struct, frozen=True):
    """A rule of the quality gate, and whether it held."""

    assertion: str
    success: bool
    name: str = ""
    severity: str = ""


class Assertions(msgspec.Struct, frozen=True):
    """The rules of the quality gate."""

    assertions: tuple[Assertion, ...]


class InputFacets(msgspec.Struct, frozen=True):
    """Of an input."""

    offsets: OffsetsFacet | None = msgspec.field(default=None, name="lambda360_offsets")
    origin: OriginFacet | None = msgspec.field(default=None, name="lambda360_origin")
    statistics: Statistics = msgspec.field(default=Statistics(), name="inputStatistics")
    quality: Assertions | None = msgspec.field(default=None, name="dataQualityAssertions")


class OutputFacets(msgspec.Struct, frozen=True):
    """Of an output."""

    statistics: Statistics = msgspec.field(default=Statistics(), name="outputStatistics")


class Measure(msgspec.Struct, frozen=True):
    """A measure of a view, and the kind of fact that it is counted from."""

    name: str
    kind: str


class Measures(msgspec.Struct, frozen=True):
    """Of a view."""

    measures: tuple[Measure, ...]


class Metric(msgspec.Struct, frozen=True, rename="camel"):
    """A metric of the answers, and what it is computed from."""

    name: str
    measures: tuple[str, ...]
    profile_fields: tuple[str, ...]


class Metrics(msgspec.Struct, frozen=True):
    """Of the answers."""

    metrics: tuple[Metric, ...]


class Version(msgspec.Struct, frozen=True):
    """A dataset's version."""

    value: str = msgspec.field(name="datasetVersion")


class InputField(msgspec.Struct, frozen=True):
    """A column that another one is computed from."""

    namespace: str
    name: str
    field: str


class Fields(msgspec.Struct, frozen=True, rename="camel"):
    """What a column is computed from."""

    input_fields: tuple[InputField, ...]


class Lineage(msgspec.Struct, frozen=True):
    """What columns are computed from; `dataset` touches all of them."""

    fields: dict[str, Fields]
    dataset: tuple[InputField, ...] = ()


class Field(msgspec.Struct, frozen=True):
    """A column, and the columns within it."""

    name: str
    fields: tuple["Field", ...] = ()


class Schema(msgspec.Struct, frozen=True):
    """A dataset's columns."""

    fields: tuple[Field, ...] = ()


class Facets(msgspec.Struct, frozen=True):
    """Of a dataset."""

    version: Version | None = None
    schema: Schema = Schema()
    lineage: Lineage | None = msgspec.field(default=None, name="columnLineage")
    measures: Measures | None = msgspec.field(default=None, name="lambda360_measures")
    metrics: Metrics | None = msgspec.field(default=None, name="lambda360_metrics")
