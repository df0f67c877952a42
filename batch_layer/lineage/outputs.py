"""What a run wrote, as datasets of an event: master, the gate's tables, the view, what was exported, answers. Pure."""

from typing import Final

from openlineage.client.event_v2 import OutputDataset
from openlineage.client.facet_v2 import DatasetFacet, OutputDatasetFacet, output_statistics_output_dataset

from batch_layer.export import columns as exported
from batch_layer.export import features
from batch_layer.gate import quarantine, scores
from batch_layer.gate.rules import RESERVED
from batch_layer.gate_report import GateReport
from batch_layer.lineage import columns, facets
from batch_layer.lineage.datasets import Name, Names
from batch_layer.lineage.inputs import of_master, typed, versioned
from batch_layer.manifest import Manifest, Status


def written_by(manifest: Manifest, names: Names) -> list[OutputDataset]:
    """Returns the datasets that the run wrote and that count: the view and the answers only if it was published."""
    found: list[OutputDataset] = []
    if manifest.plan.snapshot:
        found.append(_made(names.iceberg("events"), of_master(manifest.plan.snapshot)))
    if manifest.gate is not None:
        found += _of_gate(manifest.gate, names)
    if manifest.status is Status.PUBLISHED:
        found += _published(manifest, names)
    return found


def _of_gate(report: GateReport, names: Names) -> list[OutputDataset]:
    master = names.iceberg("events")
    in_quarantine: dict[str, DatasetFacet] = {
        "datasetType": typed("TABLE"),
        "schema": columns.schema(quarantine.COLUMNS),
        "columnLineage": columns.copied(master, quarantine.COLUMNS, own=("batch_id", "rule")),
    }
    figures: dict[str, DatasetFacet] = {"datasetType": typed("TABLE"), "schema": columns.schema(scores.COLUMNS)}
    return [
        _made(names.iceberg("quarantine"), in_quarantine, report.quarantined),
        _made(names.iceberg("quality"), figures, len(report.findings) + len(RESERVED)),
    ]


_WAREHOUSE: Final = {name: kind.sql for name, kind in exported.COLUMNS.items()}
_FEATURES: Final = {name: kind.sql for name, kind in features.COLUMNS.items()}


def _published(manifest: Manifest, names: Names) -> list[OutputDataset]:
    master = names.iceberg("events")
    version = {"version": versioned(manifest.batch_id)}
    return [
        _made(
            names.view(manifest.slot),
            {"datasetType": typed("TABLE"), **version, **columns.of_view(master)},
            manifest.rows,
        ),
        _made(
            names.iceberg("customer_metrics"),
            {"datasetType": typed("TABLE"), **columns.of_answers(master), "schema": columns.schema(_WAREHOUSE)},
            manifest.rows,
        ),
        _made(
            names.iceberg("features"),
            {"datasetType": typed("TABLE"), **columns.of_features(names.iceberg("customer_metrics"), _FEATURES)},
            manifest.rows,
        ),
        _made(names.answers, {"datasetType": typed("VIEW"), **version, **columns.of_answers(master)}),
    ]


def _made(name: Name, described: dict[str, DatasetFacet], rows: int | None = None) -> OutputDataset:
    statistics: dict[str, OutputDatasetFacet] = {}
    if rows is not None:
        statistics["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=rows, producer=facets.PRODUCER
        )
    return OutputDataset(namespace=name.namespace, name=name.name, facets=described, outputFacets=statistics)
