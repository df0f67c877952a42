"""The Spark session's configuration: the catalog, and properties of the operator's own. Starts no Spark."""

from pathlib import Path

import pytest

from batch_layer import spark_properties
from batch_layer.session import catalog
from common.errors import SettingsError
from common.settings import BatchSettings, Settings


def settings(**batch: object) -> Settings:
    return Settings.model_validate({"batch": batch})


def test_a_file_of_properties_is_read_as_spark_defaults_are(tmp_path: Path) -> None:
    file = tmp_path / "spark.conf"
    file.write_text(
        "# executors\n\nspark.executor.memory 4g\nspark.executor.cores=2\nspark.a.b = x y\n"
        "spark.executor.extraJavaOptions -Da=b -Dc=d\n"
    )
    assert spark_properties.of(settings(spark_options=str(file))) == {
        "spark.executor.memory": "4g",
        "spark.executor.cores": "2",
        "spark.a.b": "x y",
        "spark.executor.extraJavaOptions": "-Da=b -Dc=d",
    }
    assert spark_properties.of(Settings()) == {}


@pytest.mark.parametrize("line", ["executor.memory 4g", "spark.executor.memory", "spark.executor.memory =", "hunter2"])
def test_a_line_that_is_no_property_is_named_by_its_number_and_not_shown(tmp_path: Path, line: str) -> None:
    file = tmp_path / "spark.conf"
    file.write_text(f"spark.a 1\n{line}\n")
    with pytest.raises(SettingsError, match=r"LAMBDA360_BATCH_SPARK_OPTIONS.*line 2 is none") as raised:
        spark_properties.of(settings(spark_options=str(file)))
    assert line not in str(raised.value).replace("`spark.… value`", "")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"LAMBDA360_BATCH_SPARK_OPTIONS.*can be read"):
        spark_properties.of(settings(spark_options=str(tmp_path / "none")))


def test_the_catalog_is_the_one_that_the_settings_name() -> None:
    assert catalog(Settings())["spark.sql.catalog.lake.type"] == "hadoop"
    assert "spark.sql.catalog.lake.uri" not in catalog(Settings())
    jdbc = catalog(settings(catalog="jdbc", catalog_uri="jdbc:sqlite:/tmp/catalog.db", warehouse="s3a://bucket/lake"))
    assert jdbc["spark.sql.catalog.lake.type"] == "jdbc"
    assert jdbc["spark.sql.catalog.lake.uri"] == "jdbc:sqlite:/tmp/catalog.db"
    assert jdbc["spark.sql.catalog.lake.warehouse"] == "s3a://bucket/lake"


@pytest.mark.parametrize("batch", [{"catalog": "jdbc"}, {"catalog_uri": "https://catalog"}])
def test_a_catalog_and_its_place_go_together(batch: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"batch\.catalog_uri must be set where"):
        Settings(batch=BatchSettings.model_validate(batch))
