"""Where Iceberg says that a data file is, as the URI by which Arrow opens it."""

import pytest

from batch_layer.master.table import _uri


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("/data/lake/a.parquet", "file:///data/lake/a.parquet"),
        ("file:/data/a b/x=1/c.parquet", "file:///data/a%20b/x=1/c.parquet"),
        ("file:///data/100%25.parquet", "file:///data/100%2525.parquet"),
        ("/data/with:colon/a.parquet", "file:///data/with:colon/a.parquet"),
        ("s3a://bucket/a b.parquet", "s3://bucket/a%20b.parquet"),
        ("s3n://bucket/a.parquet", "s3://bucket/a.parquet"),
        ("hdfs://host:8020/a.parquet", "hdfs://host:8020/a.parquet"),
    ],
)
def test_a_location_is_an_escaped_uri(location: str, uri: str) -> None:
    assert _uri(location) == uri
