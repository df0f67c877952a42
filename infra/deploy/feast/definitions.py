"""What `feast apply` registers: the customer, and the features by batch and by push. Needs Feast's environment."""

import json
import os
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Bool, Float64, Int64, String

HERE = Path(__file__).resolve().parent
FOLDER = os.environ.get("FEATURES_FOLDER") or str(HERE / "data" / "features")
"""What `lambda360 export --features FOLDER` writes: one Parquet file for each batch."""
TYPES = {"integer": Int64, "real": Float64, "truth": Bool, "text": String}

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
batches = FileSource(
    name="customer_batches",
    path=FOLDER,
    file_format=ParquetFormat(),
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    description="what each batch knew of each customer, and when",
)
deltas = PushSource(
    name="customer_deltas",
    batch_source=batches,
    description="what is answered about a customer once the speed layer has applied a record",
)
view = FeatureView(
    name="customer_features",
    entities=[customer],
    ttl=timedelta(0),  # what was known of a customer stays known until the next row
    schema=[
        Field(name="customer_id", dtype=String),
        *(
            Field(name=each["name"], dtype=TYPES[each["kind"]], description=each["rule"])
            for each in json.loads((HERE / "features.json").read_text(encoding="utf-8"))
        ),
    ],
    source=deltas,
)
service = FeatureService(name="customer_features", features=[view])
