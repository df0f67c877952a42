"""What a run read, as datasets of an event: the origins of its new records, the log, the master. Pure."""

from collections.abc import Iterator
from typing import Final

from openlineage.client.event_v2 import InputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    dataset_type_dataset,
    dataset_version_dataset,
    input_statistics_input_dataset,
)

from batch_layer.gate_report import Finding, GateReport, OriginCount, Verdict
from batch_layer.lineage import columns, facets
from batch_layer.lineage.datasets import FILES, Name, Names, origin
from batch_layer.manifest import Manifest
from batch_layer.master import table as master

_PASSED: Final = (Verdict.PASSED, Verdict.UNJUDGED)


def read_by(manifest: Manifest, names: Names, topic_id: str) -> list[InputDataset]:
    """Returns the datasets that the run read, as far as its manifest knows them by now."""
    report = manifest.gate
    origins = () if report is None else _origins(report)
    found = [*origins, _topic(manifest, names, topic_id)]
    return [*found, _master(manifest, names)] if manifest.plan.snapshot else found


def typed(kind: str) -> DatasetFacet:
    """Returns the facet that says what sort of dataset it is."""
    return dataset_type_dataset.DatasetTypeDatasetFacet(datasetType=kind, producer=facets.PRODUCER)


def versioned(version: int) -> DatasetFacet:
    """Returns the facet of a dataset's version."""
    return dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(version), producer=facets.PRODUCER)


def of_master(snapshot: int) -> dict[str, DatasetFacet]:
    """Returns the facets of the master at a snapshot."""
    return {"datasetType": typed("TABLE"), "version": versioned(snapshot), "schema": columns.schema(master.COLUMNS)}


def _origins(report: GateReport) -> Iterator[InputDataset]:
    by_name: dict[Name, list[OriginCount]] = {}
    for each in report.origins:
        by_name.setdefault(origin(each.origin), []).append(each)
    for name, counts in by_name.items():
        kinds = [facets.KindCount(kind=each.kind, records=each.records) for each in counts]
        yield InputDataset(
            namespace=name.namespace,
            name=name.name,
            facets={"datasetType": typed("FILE" if name.namespace == FILES else "STREAM")},
            inputFacets={
                facets.ORIGIN: facets.OriginFacet(kinds=kinds, producer=facets.PRODUCER),
                "inputStatistics": _rows(sum(each.records for each in counts)),
            },
        )


def _topic(manifest: Manifest, names: Names, topic_id: str) -> InputDataset:
    report = manifest.gate
    since = None if report is None else report.since
    ranges = [
        facets.PartitionRange(partition=partition, fromOffset=None if since is None else since[partition], toOffset=end)
        for partition, end in manifest.plan.cut.offsets.items()
    ]
    found: dict[str, InputDatasetFacet] = {
        facets.OFFSETS: facets.OffsetsFacet(topicId=topic_id, partitions=ranges, producer=facets.PRODUCER)
    }
    if report is not None:
        found["inputStatistics"] = _rows(report.records)
    name = names.topic
    return InputDataset(
        namespace=name.namespace, name=name.name, facets={"datasetType": typed("TOPIC")}, inputFacets=found
    )


def _master(manifest: Manifest, names: Names) -> InputDataset:
    name = names.iceberg("events")
    found: dict[str, InputDatasetFacet] = {}
    if manifest.gate is not None:
        found["dataQualityMetrics"] = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            rowCount=manifest.gate.records, columnMetrics={}, producer=facets.PRODUCER
        )
        found["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(each) for each in manifest.gate.findings], producer=facets.PRODUCER
        )
    snapshot = manifest.plan.snapshot
    return InputDataset(namespace=name.namespace, name=name.name, facets=of_master(snapshot), inputFacets=found)


def _assertion(finding: Finding) -> data_quality_assertions_dataset.Assertion:
    """A finding's figures. Its text stays in the manifest: a text may quote names that a source chose."""
    figures = {"verdict": str(finding.verdict), "failing": finding.failing, "concerned": finding.concerned}
    return data_quality_assertions_dataset.Assertion(
        assertion=finding.kind,
        name=finding.rule,
        success=finding.verdict in _PASSED,
        severity=str(finding.severity),
        expected=None if finding.limit is None else repr(finding.limit),
        actual=None if finding.measured is None else repr(finding.measured),
        params={name: value for name, value in figures.items() if value is not None},
    )


def _rows(count: int) -> InputDatasetFacet:
    return input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=count, producer=facets.PRODUCER)
