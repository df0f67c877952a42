"""The facets of our own, for what no facet of OpenLineage says; `facets.json` is their schema."""

from importlib.metadata import version
from typing import Final

from attrs import define
from openlineage.client.facet_v2 import DatasetFacet, InputDatasetFacet, RunFacet

PRODUCER: Final = f"urn:lambda360:release:{version('lambda360')}"
SCHEMA: Final = "urn:lambda360:lineage:1-0-0"
"""The `$id` of `facets.json`; a change of a facet is another version."""
OFFSETS: Final = "lambda360_offsets"
ORIGIN: Final = "lambda360_origin"
RUN: Final = "lambda360_run"
MEASURES: Final = "lambda360_measures"
METRICS: Final = "lambda360_metrics"


@define
class PartitionRange:
    """The new records of a partition: offsets in [fromOffset, toOffset)."""

    partition: int
    fromOffset: int | None  # noqa: N815 # names in events are spelled so
    """None where it is not known yet."""
    toOffset: int  # noqa: N815


@define
class OffsetsFacet(InputDatasetFacet):
    """Of the log: its identity, and the offsets of the records that are new in a run."""

    topicId: str  # noqa: N815
    partitions: list[PartitionRange]

    @staticmethod
    def _get_schema() -> str:
        return f"{SCHEMA}#/$defs/OffsetsFacet"


@define
class KindCount:
    kind: str
    records: int


@define
class OriginFacet(InputDatasetFacet):
    """Of a file or a producer: how many records it added in a run, by the kind of their entity, or `rejected`."""

    kinds: list[KindCount]

    @staticmethod
    def _get_schema() -> str:
        return f"{SCHEMA}#/$defs/OriginFacet"


@define
class BatchRunFacet(RunFacet):
    """Of a run: its batch, and how far it came."""

    batchId: int  # noqa: N815
    attempt: int
    step: str
    status: str
    slot: str
    logicVersion: str  # noqa: N815
    validationVersion: str  # noqa: N815
    seconds: dict[str, float]
    """How long each step took, by its name."""

    @staticmethod
    def _get_schema() -> str:
        return f"{SCHEMA}#/$defs/BatchRunFacet"


@define
class MeasureReads:
    name: str
    kind: str
    """The kind of fact that it is counted from."""


@define
class MeasuresFacet(DatasetFacet):
    """Of a view: the measures in a customer's state, in its order."""

    measures: list[MeasureReads]

    @staticmethod
    def _get_schema() -> str:
        return f"{SCHEMA}#/$defs/MeasuresFacet"


@define
class MetricReads:
    name: str
    measures: list[str]
    profileFields: list[str]  # noqa: N815


@define
class MetricsFacet(DatasetFacet):
    """Of the answers: what each metric is computed from."""

    metrics: list[MetricReads]

    @staticmethod
    def _get_schema() -> str:
        return f"{SCHEMA}#/$defs/MetricsFacet"
