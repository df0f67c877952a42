"""The columns of the datasets that a run writes, and what each is computed from. Pure; no rule is repeated."""

from collections.abc import Iterator, Mapping
from typing import Final

from openlineage.client.facet_v2 import DatasetFacet, column_lineage_dataset, schema_dataset

from batch_layer.lineage import facets
from batch_layer.lineage.datasets import Name
from batch_layer.lineage.reads import fields_of, measures_of, profile_fields_of
from common.algebra.features import FEATURES
from common.algebra.measures import MEASURES, Measure
from common.algebra.metrics import METRICS
from common.algebra.profile import CustomerProfile

_USES: Final = {"value": ("DIRECT", "AGGREGATION"), "day": ("INDIRECT", "GROUP_BY"), "filter": ("INDIRECT", "FILTER")}
"""OpenLineage's words for what a measure reads a field for."""
CHOICE: Final = ("customer_id", "kind", "entity_id", "version", "retracted", "kafka_partition", "kafka_offset")
"""The columns of the master that say which facts are current, and whose they are: they touch every measure (R4)."""
PROFILE: Final = tuple(CustomerProfile.__struct_fields__)
STATE: Final = "state"
"""The view's column of the state and the profile; a measure in it is spelled `state.revenue`."""
_InputField = column_lineage_dataset.InputField


def schema(columns: Mapping[str, str]) -> DatasetFacet:
    """Returns the facet for columns with these types."""
    return schema_dataset.SchemaDatasetFacet(
        fields=[schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in columns.items()],
        producer=facets.PRODUCER,
    )


def of_view(master: Name) -> dict[str, DatasetFacet]:
    """Returns the facets of a slot's table: its columns, what each is computed from, and its measures."""
    field = schema_dataset.SchemaDatasetFacetFields
    state = field(
        name=STATE,
        type="text",
        description="measures by UTC day, and the profile, as JSON",
        fields=[
            *(field(name=each.name, type="bigint", description=each.unit) for each in MEASURES),
            *(field(name=name, type=_type_of(name)) for name in PROFILE),
        ],
    )
    lineage = {
        "customer_id": [_input(master, "customer_id", "DIRECT", "IDENTITY")],
        **{f"{STATE}.{measure.name}": list(_of_measure(master, measure)) for measure in MEASURES},
        **{f"{STATE}.{name}": [_input(master, name, "DIRECT", "IDENTITY")] for name in PROFILE},
    }
    fields = [field(name="customer_id", type="text"), field(name="batch_id", type="bigint"), state]
    return {
        "schema": schema_dataset.SchemaDatasetFacet(fields=fields, producer=facets.PRODUCER),
        "columnLineage": _lineage(lineage, [_input(master, name, "INDIRECT", "FILTER") for name in CHOICE]),
        facets.MEASURES: facets.MeasuresFacet(
            measures=[facets.MeasureReads(name=each.name, kind=each.kind) for each in MEASURES],
            producer=facets.PRODUCER,
        ),
    }


def of_answers(master: Name) -> dict[str, DatasetFacet]:
    """Returns the facets of the answers: the metrics, and which columns of the master each goes back to."""
    return {
        "schema": schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(name=metric.name, type=metric.unit, description=metric.rule)
                for metric in METRICS
            ],
            producer=facets.PRODUCER,
        ),
        "columnLineage": _lineage(
            {metric.name: list(_of_metric(master, metric.name)) for metric in METRICS},
            [_input(master, name, "INDIRECT", "FILTER") for name in CHOICE],
        ),
        facets.METRICS: facets.MetricsFacet(
            metrics=[
                facets.MetricReads(
                    name=metric.name,
                    measures=list(measures_of()[metric.name]),
                    profileFields=list(profile_fields_of()[metric.name]),
                )
                for metric in METRICS
            ],
            producer=facets.PRODUCER,
        ),
    }


def of_features(warehouse: Name, kinds: Mapping[str, str]) -> dict[str, DatasetFacet]:
    """Returns the facets of the features: their columns, and which column of a warehouse's row each is made of."""
    lineage = {
        each.name: [_input(warehouse, each.source, "DIRECT", "TRANSFORMATION" if each.of == "metrics" else "IDENTITY")]
        for each in FEATURES
    }
    return {"schema": schema(kinds), "columnLineage": _lineage(lineage, [])}


def copied(master: Name, columns: Mapping[str, str], own: tuple[str, ...]) -> DatasetFacet:
    """Returns the facet for columns that are copies of the master's, but for its `own` ones."""
    lineage = {name: [_input(master, name, "DIRECT", "IDENTITY")] for name in columns if name not in own}
    return _lineage(lineage, [])


def _of_measure(master: Name, measure: Measure) -> Iterator[_InputField]:
    for field, use in fields_of(measure).items():
        yield _input(master, field, *_USES[use], description=f"where kind = '{measure.kind}'")


def _of_metric(master: Name, metric: str) -> Iterator[_InputField]:
    """A field that several measures read is named once."""
    found: dict[str, _InputField] = {}
    by_name = {measure.name: measure for measure in MEASURES}
    for name in measures_of()[metric]:
        for each in _of_measure(master, by_name[name]):
            known = found.setdefault(each.field, each)
            if known is not each:
                known.transformations = [*(known.transformations or ()), *(each.transformations or ())]
    for name in profile_fields_of()[metric]:
        found[name] = _input(master, name, "DIRECT", "TRANSFORMATION")
    yield from found.values()


def _input(of: Name, field: str, kind: str, subtype: str, description: str | None = None) -> _InputField:
    how = column_lineage_dataset.Transformation(type=kind, subtype=subtype, description=description, masking=False)
    return _InputField(namespace=of.namespace, name=of.name, field=field, transformations=[how])


def _lineage(fields: Mapping[str, list[_InputField]], dataset: list[_InputField]) -> DatasetFacet:
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={name: column_lineage_dataset.Fields(inputFields=read) for name, read in fields.items()},
        dataset=dataset,
        producer=facets.PRODUCER,
    )


def _type_of(field: str) -> str:
    return "bigint" if field.endswith("_date") else "text"
